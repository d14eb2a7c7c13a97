CREATE TABLE `bans` (
  `room_id` varchar(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `user_id` bigint(20) NOT NULL,
  PRIMARY KEY (`room_id`,`user_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE `events` (
  `room_id` varchar(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `position` bigint(20) NOT NULL,
  `type` varchar(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `by_user` bigint(20) NOT NULL,
  `at` bigint(20) NOT NULL,
  `subject` bigint(20) DEFAULT NULL,
  `data` mediumtext NOT NULL,
  PRIMARY KEY (`room_id`,`position`),
  KEY `events_subject` (`room_id`,`subject`,`position`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `events` VALUES ('1',1,'room_created',1,1795278567644,NULL,'{\"type\":\"room_created\",\"info\":{\"id\":\"1\",\"kind\":\"group\",\"name\":\"Tidal pond\",\"topic\":\"\",\"visibility\":\"private\",\"member_count\":2},\"members\":[{\"id\":\"1\",\"username\":\"heron\",\"display_name\":\"Grey Heron\",\"role\":\"admin\",\"joined_at\":\"2026-11-21T16:29:27.644Z\"},{\"id\":\"2\",\"username\":\"wren\",\"display_name\":\"wren\",\"role\":\"member\",\"joined_at\":\"2026-11-21T16:29:27.644Z\"}],\"by\":\"1\"}');
INSERT INTO `events` VALUES ('1',6,'room_updated',1,1795278569413,NULL,'{\"type\":\"room_updated\",\"info\":{\"id\":\"1\",\"kind\":\"group\",\"name\":\"Tidal pond\",\"topic\":\"When to fish\",\"visibility\":\"private\",\"member_count\":2},\"by\":\"1\"}');
INSERT INTO `events` VALUES ('d1-2',1,'room_created',1,1795278568394,NULL,'{\"type\":\"room_created\",\"info\":{\"id\":\"d1-2\",\"kind\":\"direct\",\"name\":null,\"topic\":\"\",\"visibility\":\"private\",\"member_count\":2,\"members\":[{\"user_id\":\"1\",\"username\":\"heron\",\"display_name\":\"Grey Heron\"},{\"user_id\":\"2\",\"username\":\"wren\",\"display_name\":\"wren\"}]},\"members\":[{\"id\":\"1\",\"username\":\"heron\",\"display_name\":\"Grey Heron\",\"role\":\"member\",\"joined_at\":\"2026-11-21T16:29:28.394Z\"},{\"id\":\"2\",\"username\":\"wren\",\"display_name\":\"wren\",\"role\":\"member\",\"joined_at\":\"2026-11-21T16:29:28.394Z\"}],\"by\":\"1\"}');
CREATE TABLE `log_offsets` (
  `partition_id` bigint(20) NOT NULL,
  `epoch` bigint(20) NOT NULL,
  `next_offset` bigint(20) NOT NULL,
  PRIMARY KEY (`partition_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `log_offsets` VALUES (0,0,0);
INSERT INTO `log_offsets` VALUES (1,0,0);
INSERT INTO `log_offsets` VALUES (2,0,0);
INSERT INTO `log_offsets` VALUES (3,0,0);
INSERT INTO `log_offsets` VALUES (4,0,0);
INSERT INTO `log_offsets` VALUES (5,0,0);
INSERT INTO `log_offsets` VALUES (6,0,0);
INSERT INTO `log_offsets` VALUES (7,0,0);
INSERT INTO `log_offsets` VALUES (8,0,1);
INSERT INTO `log_offsets` VALUES (9,0,0);
INSERT INTO `log_offsets` VALUES (10,0,0);
INSERT INTO `log_offsets` VALUES (11,0,6);
CREATE TABLE `logins` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `user_id` bigint(20) NOT NULL,
  `token_hash` binary(32) NOT NULL,
  `created_at` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `logins_token` (`token_hash`),
  KEY `logins_user` (`user_id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `logins` VALUES (1,1,REPEAT('1',32),1795278566850);
INSERT INTO `logins` VALUES (2,2,REPEAT('2',32),1795278567280);
CREATE TABLE `members` (
  `room_id` varchar(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `user_id` bigint(20) NOT NULL,
  `role` varchar(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `joined_at` bigint(20) NOT NULL,
  `read_position` bigint(20) NOT NULL,
  PRIMARY KEY (`room_id`,`user_id`),
  KEY `members_user` (`user_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `members` VALUES ('1',1,'admin',1795278567644,4);
INSERT INTO `members` VALUES ('1',2,'member',1795278567644,5);
INSERT INTO `members` VALUES ('d1-2',1,'member',1795278568394,1);
INSERT INTO `members` VALUES ('d1-2',2,'member',1795278568394,1);
CREATE TABLE `mentions` (
  `room_id` varchar(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `user_id` bigint(20) NOT NULL,
  `position` bigint(20) NOT NULL,
  PRIMARY KEY (`room_id`,`user_id`,`position`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `mentions` VALUES ('1',2,2);
INSERT INTO `mentions` VALUES ('1',2,3);
INSERT INTO `mentions` VALUES ('1',2,4);
CREATE TABLE `messages` (
  `id` bigint(20) NOT NULL,
  `room_id` varchar(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `position` bigint(20) NOT NULL,
  `sender_id` bigint(20) NOT NULL,
  `body` mediumtext NOT NULL,
  `sent_at` bigint(20) NOT NULL,
  `edited_at` bigint(20) DEFAULT NULL,
  `deleted_at` bigint(20) DEFAULT NULL,
  `client_id` mediumblob DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `messages_position` (`room_id`,`position`),
  KEY `messages_client` (`room_id`,`sender_id`,`client_id`(64)),
  KEY `messages_unread` (`room_id`,`position`,`sender_id`,`deleted_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `messages` VALUES (1035,'1',2,1,'Low tide at 1, @wren',1795278568434,NULL,NULL,'c1');
INSERT INTO `messages` VALUES (2059,'1',3,1,'Low tide at 2, @wren',1795278568499,NULL,NULL,'c2');
INSERT INTO `messages` VALUES (3083,'1',4,1,'Low tide at 3, @wren',1795278568527,NULL,NULL,'c3');
INSERT INTO `messages` VALUES (4107,'1',5,2,'今日は',1795278568935,NULL,NULL,NULL);
CREATE TABLE `refinery_schema_history` (
  `version` int(11) NOT NULL,
  `name` varchar(255) DEFAULT NULL,
  `applied_on` varchar(255) DEFAULT NULL,
  `checksum` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`version`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `refinery_schema_history` VALUES (1,'users','2026-11-21T16:29:19.790897282Z','3224029622418715943');
INSERT INTO `refinery_schema_history` VALUES (2,'logins','2026-11-21T16:29:19.853881334Z','3222086329236095438');
INSERT INTO `refinery_schema_history` VALUES (3,'room_ids','2026-11-21T16:29:19.880174715Z','17246953705471881413');
INSERT INTO `refinery_schema_history` VALUES (4,'rooms','2026-11-21T16:29:19.904980041Z','16105916809410511315');
INSERT INTO `refinery_schema_history` VALUES (5,'members','2026-11-21T16:29:19.918314733Z','8176881318954608055');
INSERT INTO `refinery_schema_history` VALUES (6,'bans','2026-11-21T16:29:19.931701704Z','16091139341882441397');
INSERT INTO `refinery_schema_history` VALUES (7,'messages','2026-11-21T16:29:19.946200555Z','14456150402507173803');
INSERT INTO `refinery_schema_history` VALUES (8,'mentions','2026-11-21T16:29:19.980747748Z','1180939238325813022');
INSERT INTO `refinery_schema_history` VALUES (9,'events','2026-11-21T16:29:19.995697947Z','467410999606511836');
INSERT INTO `refinery_schema_history` VALUES (10,'log_offsets','2026-11-21T16:29:20.019224683Z','2482810721228000122');
CREATE TABLE `room_ids` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `made_at` bigint(20) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `room_ids` VALUES (1,1795278567476);
CREATE TABLE `rooms` (
  `id` varchar(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `group_number` bigint(20) DEFAULT NULL,
  `kind` varchar(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `name` mediumtext DEFAULT NULL,
  `topic` mediumtext NOT NULL,
  `search_key` longtext NOT NULL,
  `visibility` varchar(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `position` bigint(20) NOT NULL,
  `last_message_id` bigint(20) DEFAULT NULL,
  `member_count` bigint(20) NOT NULL,
  `created_at` bigint(20) NOT NULL,
  `deleted_at` bigint(20) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `rooms_listed` (`visibility`,`group_number`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `rooms` VALUES ('1',1,'group','Tidal pond','When to fish','tidal pond\nwhen to fish','private',6,4107,2,1795278567644,NULL);
INSERT INTO `rooms` VALUES ('d1-2',NULL,'direct',NULL,'','\n','private',1,NULL,2,1795278568394,NULL);
CREATE TABLE `users` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `username` varchar(255) NOT NULL,
  `username_key` varchar(255) NOT NULL,
  `display_name` text NOT NULL,
  `display_key` text NOT NULL,
  `password_hash` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `disabled_at` bigint(20) DEFAULT NULL,
  `created_at` bigint(20) NOT NULL,
  `last_seen` bigint(20) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `users_username` (`username_key`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `users` VALUES (1,'heron','heron','Grey Heron','grey heron','$argon2id$v=19$m=19456,t=2,p=1$y1AMAW7e6Z/S2p301JPIbg$kWHLuT9bOWvXOkOmLLHLZonxQwX3rgM30d9yjrF7JZ8',NULL,1795278566659,NULL);
INSERT INTO `users` VALUES (2,'wren','wren','wren','wren','$argon2id$v=19$m=19456,t=2,p=1$BRTo3jDybGFyTE+ooSA5Kw$rJNRB7fKHmCOi5m/W8x2Lxgjei5WZXH80hsA2oLbbqs',NULL,1795278567189,NULL);
