CREATE TABLE `bans` (
  `room_id` varchar(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `user_id` bigint(20) NOT NULL,
  PRIMARY KEY (`room_id`,`user_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `bans` VALUES ('1',3);
CREATE TABLE `events` (
  `room_id` varchar(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `position` bigint(20) NOT NULL,
  `type` varchar(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `by_user` bigint(20) NOT NULL,
  `at` bigint(20) NOT NULL,
  `subject` bigint(20) DEFAULT NULL,
  `data` mediumtext NOT NULL,
  `message_id` bigint(20) DEFAULT NULL,
  PRIMARY KEY (`room_id`,`position`),
  KEY `events_subject` (`room_id`,`subject`,`position`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `events` VALUES ('1',1,'room_created',1,1795286576480,NULL,'{\"type\":\"room_created\",\"info\":{\"id\":\"1\",\"kind\":\"group\",\"name\":\"Tidal pond\",\"topic\":\"\",\"visibility\":\"public\",\"member_count\":2},\"members\":[{\"id\":\"1\",\"username\":\"heron\",\"display_name\":\"Grey Heron\",\"role\":\"admin\",\"joined_at\":\"2026-11-21T18:42:56.480Z\"},{\"id\":\"2\",\"username\":\"wren\",\"display_name\":\"wren\",\"role\":\"member\",\"joined_at\":\"2026-11-21T18:42:56.480Z\"}],\"by\":\"1\"}',NULL);
INSERT INTO `events` VALUES ('1',2,'member_added',3,1795286576528,3,'{\"type\":\"member_added\",\"member\":{\"id\":\"3\",\"username\":\"coot\",\"display_name\":\"coot\",\"role\":\"member\",\"joined_at\":\"2026-11-21T18:42:56.528Z\"},\"by\":\"3\"}',NULL);
INSERT INTO `events` VALUES ('1',9,'edited',1,1795286576628,NULL,'{}',3083);
INSERT INTO `events` VALUES ('1',10,'deleted',1,1795286576635,3,'{}',6155);
INSERT INTO `events` VALUES ('1',11,'reaction',2,1795286576645,NULL,'{\"type\":\"reaction\",\"message\":\"2059\",\"emoji\":\"👍\",\"user\":\"2\",\"on\":true,\"count\":1}',2059);
INSERT INTO `events` VALUES ('1',12,'reaction',3,1795286576654,NULL,'{\"type\":\"reaction\",\"message\":\"2059\",\"emoji\":\"👍\",\"user\":\"3\",\"on\":true,\"count\":2}',2059);
INSERT INTO `events` VALUES ('1',13,'room_updated',1,1795286576680,NULL,'{\"type\":\"room_updated\",\"info\":{\"id\":\"1\",\"kind\":\"group\",\"name\":\"Tidal pond\",\"topic\":\"When to fish\",\"visibility\":\"public\",\"member_count\":3},\"by\":\"1\"}',NULL);
INSERT INTO `events` VALUES ('1',14,'member_updated',1,1795286576695,2,'{\"type\":\"member_updated\",\"member\":{\"id\":\"2\",\"username\":\"wren\",\"display_name\":\"wren\",\"role\":\"admin\",\"joined_at\":\"2026-11-21T18:42:56.480Z\"},\"by\":\"1\"}',NULL);
INSERT INTO `events` VALUES ('1',15,'member_removed',1,1795286576709,3,'{\"type\":\"member_removed\",\"member\":{\"id\":\"3\",\"username\":\"coot\",\"display_name\":\"coot\",\"role\":\"member\",\"joined_at\":\"2026-11-21T18:42:56.528Z\"},\"ban\":true,\"by\":\"1\"}',NULL);
INSERT INTO `events` VALUES ('d1-2',1,'room_created',1,1795286576552,NULL,'{\"type\":\"room_created\",\"info\":{\"id\":\"d1-2\",\"kind\":\"direct\",\"name\":null,\"topic\":\"\",\"visibility\":\"private\",\"member_count\":2,\"members\":[{\"user_id\":\"1\",\"username\":\"heron\",\"display_name\":\"Grey Heron\"},{\"user_id\":\"2\",\"username\":\"wren\",\"display_name\":\"wren\"}]},\"members\":[{\"id\":\"1\",\"username\":\"heron\",\"display_name\":\"Grey Heron\",\"role\":\"member\",\"joined_at\":\"2026-11-21T18:42:56.552Z\"},{\"id\":\"2\",\"username\":\"wren\",\"display_name\":\"wren\",\"role\":\"member\",\"joined_at\":\"2026-11-21T18:42:56.552Z\"}],\"by\":\"1\"}',NULL);
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
INSERT INTO `log_offsets` VALUES (11,0,15);
CREATE TABLE `logins` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `user_id` bigint(20) NOT NULL,
  `token_hash` binary(32) NOT NULL,
  `created_at` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `logins_token` (`token_hash`),
  KEY `logins_user` (`user_id`)
) ENGINE=InnoDB AUTO_INCREMENT=4 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `logins` VALUES (1,1,0x26A6406B150BB0037FE5439C021E63DC11404D10649D1D4A2FFA9099FA6525DF,1795286576411);
INSERT INTO `logins` VALUES (2,2,0xFD458D535056C169CEFC8EA9A80F28F217C772AF0B3DF907CEB0BD9D8584F34C,1795286576437);
INSERT INTO `logins` VALUES (3,3,0x19E245252F6A3D7F96BD77B3BADDD259AD6A95A4BCC3E42CABEB6FD91DE95C0E,1795286576474);
CREATE TABLE `members` (
  `room_id` varchar(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `user_id` bigint(20) NOT NULL,
  `role` varchar(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `joined_at` bigint(20) NOT NULL,
  `read_position` bigint(20) NOT NULL,
  PRIMARY KEY (`room_id`,`user_id`),
  KEY `members_user` (`user_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `members` VALUES ('1',1,'admin',1795286576480,6);
INSERT INTO `members` VALUES ('1',2,'admin',1795286576480,8);
INSERT INTO `members` VALUES ('d1-2',1,'member',1795286576552,1);
INSERT INTO `members` VALUES ('d1-2',2,'member',1795286576552,1);
CREATE TABLE `mentions` (
  `room_id` varchar(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `user_id` bigint(20) NOT NULL,
  `position` bigint(20) NOT NULL,
  PRIMARY KEY (`room_id`,`user_id`,`position`),
  KEY `mentions_position` (`room_id`,`position`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `mentions` VALUES ('1',1,8);
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
  `reply_to` bigint(20) DEFAULT NULL,
  `reactions` mediumtext DEFAULT NULL,
  `changed_position` bigint(20) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `messages_position` (`room_id`,`position`),
  KEY `messages_client` (`room_id`,`sender_id`,`client_id`(64)),
  KEY `messages_unread` (`room_id`,`position`,`sender_id`,`deleted_at`),
  KEY `messages_changed` (`room_id`,`changed_position`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `messages` VALUES (2059,'1',3,1,'Low tide at 1, @wren',1795286576577,NULL,NULL,0x6331,NULL,'[{\"emoji\":\"👍\",\"users\":[\"2\",\"3\"]}]',12);
INSERT INTO `messages` VALUES (3083,'1',4,1,'Low tide at half past 2, @wren',1795286576585,1795286576628,NULL,NULL,NULL,NULL,9);
INSERT INTO `messages` VALUES (4107,'1',5,2,'Which one?',1795286576597,NULL,NULL,NULL,2059,NULL,NULL);
INSERT INTO `messages` VALUES (5131,'1',6,1,'今日は **early**',1795286576606,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO `messages` VALUES (6155,'1',7,3,'',1795286576613,NULL,1795286576635,NULL,NULL,NULL,10);
INSERT INTO `messages` VALUES (7179,'1',8,2,'not read by heron, @heron',1795286576619,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE `refinery_schema_history` (
  `version` int(11) NOT NULL,
  `name` varchar(255) DEFAULT NULL,
  `applied_on` varchar(255) DEFAULT NULL,
  `checksum` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`version`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `refinery_schema_history` VALUES (1,'users','2026-11-21T18:42:52.530324224Z','3224029622418715943');
INSERT INTO `refinery_schema_history` VALUES (2,'logins','2026-11-21T18:42:52.560653143Z','3222086329236095438');
INSERT INTO `refinery_schema_history` VALUES (3,'room_ids','2026-11-21T18:42:52.600864542Z','17246953705471881413');
INSERT INTO `refinery_schema_history` VALUES (4,'rooms','2026-11-21T18:42:52.624050266Z','16105916809410511315');
INSERT INTO `refinery_schema_history` VALUES (5,'members','2026-11-21T18:42:52.688570636Z','8176881318954608055');
INSERT INTO `refinery_schema_history` VALUES (6,'bans','2026-11-21T18:42:52.715608013Z','16091139341882441397');
INSERT INTO `refinery_schema_history` VALUES (7,'messages','2026-11-21T18:42:52.739998276Z','14456150402507173803');
INSERT INTO `refinery_schema_history` VALUES (8,'mentions','2026-11-21T18:42:52.781782176Z','1180939238325813022');
INSERT INTO `refinery_schema_history` VALUES (9,'events','2026-11-21T18:42:52.809718524Z','467410999606511836');
INSERT INTO `refinery_schema_history` VALUES (10,'log_offsets','2026-11-21T18:42:52.83688173Z','2482810721228000122');
INSERT INTO `refinery_schema_history` VALUES (11,'messages_changes','2026-11-21T18:42:52.872457098Z','13997733547887275076');
INSERT INTO `refinery_schema_history` VALUES (12,'mentions_position','2026-11-21T18:42:52.969149194Z','2155605366932796839');
INSERT INTO `refinery_schema_history` VALUES (13,'events_message','2026-11-21T18:42:53.011965654Z','11665264591356870593');
INSERT INTO `refinery_schema_history` VALUES (14,'words','2026-11-21T18:42:53.052412586Z','16771938513473265485');
INSERT INTO `refinery_schema_history` VALUES (15,'words_missing','2026-11-21T18:42:53.087025809Z','1886633900612573510');
INSERT INTO `refinery_schema_history` VALUES (16,'words_missing_upto','2026-11-21T18:42:53.128456339Z','10356038001143781811');
CREATE TABLE `room_ids` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `made_at` bigint(20) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `room_ids` VALUES (1,1795286576477);
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
INSERT INTO `rooms` VALUES ('1',1,'group','Tidal pond','When to fish','tidal pond\nwhen to fish','public',15,7179,2,1795286576480,NULL);
INSERT INTO `rooms` VALUES ('d1-2',NULL,'direct',NULL,'','\n','private',1,NULL,2,1795286576552,NULL);
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
) ENGINE=InnoDB AUTO_INCREMENT=4 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `users` VALUES (1,'heron','heron','Grey Heron','grey heron','$argon2id$v=19$m=19456,t=2,p=1$SqaIFwW7NoMn2RnMaLvX1Q$4MaEOR3KYLXTHuDYct0mdSeY4Ogrqe+2hlxeuF1mK1c',NULL,1795286576408,NULL);
INSERT INTO `users` VALUES (2,'wren','wren','wren','wren','$argon2id$v=19$m=19456,t=2,p=1$P4j2TFx5v4nWD1sECcgaew$dFQ+F3GEyYkeyvPoeFn6kmvfcKmYB6cnqD2afVukErY',NULL,1795286576436,NULL);
INSERT INTO `users` VALUES (3,'coot','coot','coot','coot','$argon2id$v=19$m=19456,t=2,p=1$8bzp4BYa6FloHVF1pAAeAA$nhvyl7AYDLyFzgO/NPwNbifnpJkM2jmAtjTyn43+2/8',NULL,1795286576472,NULL);
CREATE TABLE `words` (
  `room_id` varchar(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `word` varchar(48) NOT NULL,
  `position` bigint(20) NOT NULL,
  PRIMARY KEY (`room_id`,`word`,`position`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `words` VALUES ('1','1',3);
INSERT INTO `words` VALUES ('1','2',4);
INSERT INTO `words` VALUES ('1','and',4);
INSERT INTO `words` VALUES ('1','at',3);
INSERT INTO `words` VALUES ('1','at',4);
INSERT INTO `words` VALUES ('1','be',7);
INSERT INTO `words` VALUES ('1','by',8);
INSERT INTO `words` VALUES ('1','coot',4);
INSERT INTO `words` VALUES ('1','deleted',7);
INSERT INTO `words` VALUES ('1','early',6);
INSERT INTO `words` VALUES ('1','half',4);
INSERT INTO `words` VALUES ('1','heron',8);
INSERT INTO `words` VALUES ('1','low',3);
INSERT INTO `words` VALUES ('1','low',4);
INSERT INTO `words` VALUES ('1','not',8);
INSERT INTO `words` VALUES ('1','one',5);
INSERT INTO `words` VALUES ('1','past',4);
INSERT INTO `words` VALUES ('1','read',8);
INSERT INTO `words` VALUES ('1','tide',3);
INSERT INTO `words` VALUES ('1','tide',4);
INSERT INTO `words` VALUES ('1','to',7);
INSERT INTO `words` VALUES ('1','which',5);
INSERT INTO `words` VALUES ('1','wren',3);
INSERT INTO `words` VALUES ('1','wren',4);
INSERT INTO `words` VALUES ('1','は',6);
INSERT INTO `words` VALUES ('1','今',6);
INSERT INTO `words` VALUES ('1','今日',6);
INSERT INTO `words` VALUES ('1','日',6);
INSERT INTO `words` VALUES ('1','日は',6);
CREATE TABLE `words_missing` (
  `upto` bigint(20) NOT NULL,
  PRIMARY KEY (`upto`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `words_missing` VALUES (-1);
