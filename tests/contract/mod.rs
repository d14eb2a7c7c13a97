//! The stories of the contract. Each is told once and runs embedded and in a cluster.

pub mod accounts;
pub mod audit;
pub mod avatars;
pub mod away;
pub mod changes;
pub mod curl;
pub mod deletion;
pub mod ground;
pub mod hub_admins;
pub mod instances;
pub mod logins;
pub mod members;
pub mod messages;
pub mod mutes;
pub mod operations;
pub mod parting;
pub mod presence;
pub mod reading;
pub mod receipts;
pub mod refusals;
pub mod resume;
pub mod rights;
pub mod rooms;
pub mod search;
pub mod simple;
pub mod socket;
pub mod unread;

/// One test for each story, in a world of that kind. A story that is not listed here is never
/// called, which the compiler remarks upon.
macro_rules! each_story {
    ($world:path) => {
        each_story! { $world;
            accounts:
                signing_up_logs_in,
                a_user_name_is_unique_without_regard_to_case,
                user_names_have_3_to_32_plain_characters,
                passwords_have_8_to_256_bytes_and_are_not_common,
                display_names_have_1_to_50_characters,
                a_wrong_login_does_not_say_what_is_wrong,
                a_wrong_login_takes_its_time_for_unknown_names_too,
                logging_out_ends_this_login_alone,
                a_new_password_logs_out_the_others,
                ten_wrong_passwords_a_minute_for_one_name,
                guessing_side_by_side_is_no_way_around,
                the_right_password_side_by_side_is_no_failure,
                the_current_password_is_not_to_be_guessed_either,
                wrong_passwords_from_one_address,
                behind_a_proxy_its_word_counts_and_not_the_clients,
                so_many_sign_up_from_one_address,
                names_that_cannot_be_told_apart_are_one,
                names_and_texts_can_be_seen,
                a_disabled_account_is_out_until_it_is_enabled,
                a_password_that_the_operator_sets_logs_out_everywhere,
                the_directory_shows_people,
                the_directory_has_pages;
            audit:
                admins_see_who_did_what,
                the_audit_is_for_admins;
            avatars:
                a_picture_is_made_small_and_shown_everywhere,
                only_pictures_are_taken,
                open_pages_hear_of_names_and_pictures,
                some_people_can_be_asked_for_at_once;
            deletion:
                a_deleted_account_is_gone,
                what_was_said_stays_under_no_name,
                the_audit_still_says_by_what_right_it_was_done,
                a_conversation_with_nobody_can_be_read_alone,
                the_only_admin_hands_over_first,
                deleting_asks_for_the_password;
            logins:
                a_login_says_where_it_is_used_from,
                a_login_can_be_ended_from_another,
                all_others_can_be_ended_at_once;
            away:
                who_gives_no_input_is_away_and_back_at_once,
                any_device_in_use_makes_one_online,
                snapshots_show_who_is_away_and_changes_follow,
                who_comes_back_by_itself_is_still_away,
                a_line_of_the_simple_api_is_input,
                the_directory_shows_who_is_here;
            changes:
                an_edit_shows_everywhere,
                one_message_can_be_asked_for,
                only_its_author_edits_a_message,
                a_deleted_message_keeps_its_place,
                what_was_deleted_does_not_come_back,
                reactions_are_counted_for_each_viewer,
                a_reply_names_a_message_of_the_same_room,
                markup_is_rendered_to_a_narrow_set_of_html,
                a_mention_follows_the_text;
            ground:
                ids_are_strings_and_times_have_milliseconds,
                a_body_that_does_not_fit_is_400_and_a_value_not_allowed_422,
                a_query_value_of_the_wrong_type_is_400_and_one_not_allowed_422,
                bodies_are_json_by_their_type,
                an_array_is_no_body,
                a_body_has_at_most_64_kib,
                a_body_that_trickles_is_given_up,
                strangers_are_asked_to_log_in,
                strangers_hear_of_that_before_anything_else,
                a_wrong_method_is_told_the_right_ones,
                a_private_room_is_unknown_to_strangers,
                outsiders_see_a_public_group_but_not_into_it,
                a_member_without_the_right_is_told_so,
                a_cookie_alone_changes_nothing,
                logging_in_from_another_site_is_refused_with_a_cookie,
                under_https_the_cookie_is_kept_to_the_host,
                what_is_not_there_is_not_found;
            hub_admins:
                the_operator_makes_hub_admins,
                a_hub_admin_steps_in_and_the_audit_says_so,
                a_group_keeps_an_admin,
                what_is_made_private_is_closed_to_them,
                who_is_demoted_is_like_others_at_once;
            instances:
                accounts_are_known_everywhere_at_once,
                rooms_are_known_everywhere_at_once,
                messages_are_known_everywhere_at_once,
                a_name_is_taken_once,
                two_admins_do_not_both_leave,
                a_removal_and_a_message_at_once_agree_everywhere;
            members:
                members_are_listed_with_role_and_status,
                anyone_may_join_and_leave_a_public_group,
                nobody_joins_a_private_group,
                the_last_admin_hands_over_first,
                admins_add_promote_and_demote,
                one_may_be_added_as_an_admin,
                removing_is_not_banning,
                the_banned_stay_out_until_an_admin_adds_them,
                the_removed_see_nothing_of_a_private_group;
            messages:
                what_is_sent_can_be_read,
                later_positions_are_larger,
                a_text_has_1_to_4000_characters,
                a_client_id_has_1_to_64_printable_characters,
                the_same_client_id_gives_the_first_message,
                sent_twice_at_once_it_is_there_once,
                a_client_id_is_known_after_a_restart,
                history_without_a_place_is_the_newest,
                history_before_a_position,
                history_after_a_position,
                history_around_a_position,
                positions_at_the_ends_of_the_range_have_pages_too,
                a_page_has_50_messages_and_at_most_100,
                too_many_messages_are_refused_for_a_while;
            mutes:
                the_muted_read_and_react_but_do_not_write,
                admins_mute_members_for_a_minute_up_to_30_days,
                leaving_and_coming_back_ends_no_mute,
                a_mute_ends_by_itself,
                the_simple_api_and_its_socket_refuse_the_muted,
                mutes_are_in_the_audit_and_outlive_a_restart,
                the_banned_are_listed_for_admins;
            operations:
                health_readiness_and_figures,
                a_delivery_is_one_write_at_the_most,
                the_api_is_described,
                strangers_are_sent_to_the_login_page,
                a_stop_is_orderly,
                everything_is_there_after_a_restart;
            parting:
                a_ban_tells_those_who_never_were_members_nothing,
                a_ban_afterwards_tells_former_members_nothing_more,
                what_lay_between_two_stays_is_not_told,
                who_missed_too_much_hears_of_the_removal_alone,
                members_of_a_deleted_room_hear_of_it_when_they_return,
                a_room_made_meanwhile_is_shown_as_it_is_live;
            search:
                words_are_found_in_my_rooms,
                what_is_gone_is_not_found,
                any_script_and_any_typing_is_a_query,
                hits_come_in_pages;
            presence:
                online_while_a_socket_is_open,
                presence_is_asked_of_a_room_or_of_users,
                followers_of_people_hear_them_come_and_go,
                a_person_with_several_sockets_leaves_with_the_last,
                followers_of_a_room_hear_its_members,
                followers_of_all_hear_everybody,
                who_left_a_room_does_not_follow_it,
                a_presence_command_says_whom_it_means;
            reading:
                messages_by_others_are_unread_until_read,
                the_marker_never_goes_back,
                past_the_end_means_the_end,
                sending_moves_my_marker,
                a_marker_is_a_position,
                mentions_are_counted_until_read,
                my_other_devices_hear_what_i_read;
            receipts:
                others_hear_how_far_i_have_read,
                with_the_switch_off_nobody_hears_of_me_nor_i_of_them,
                the_switch_is_mine_on_every_device,
                large_rooms_have_none,
                who_is_no_member_hears_nothing,
                what_was_seen_stays_seen,
                reading_fast_is_told_now_and_then,
                my_account_has_two_things_to_change;
            refusals:
                a_body_of_another_type_or_too_large_says_which,
                a_plain_request_is_no_socket,
                one_socket_too_many_is_told_as_that,
                hello_is_said_once_and_in_time,
                people_that_are_too_many_or_too_few_are_refused,
                a_message_has_twenty_different_emoji,
                whatever_changes_something_has_a_rate;
            resume:
                exactly_what_was_missed_in_order,
                who_missed_nothing_gets_nothing,
                rooms_that_are_not_named_begin_now,
                several_rooms_are_resumed_at_once,
                a_thousand_messages_are_no_reset,
                more_than_resume_events_is_a_reset,
                a_position_from_the_future_is_a_reset,
                naming_a_room_of_others_tells_nothing,
                after_a_removal_nothing_more_comes_live,
                after_a_removal_nothing_more_comes_on_resume,
                who_is_added_just_before_hello_misses_nothing,
                who_comes_back_hears_again;
            rights:
                of_rooms,
                of_members,
                of_messages,
                of_the_simple_api,
                a_reply_tells_strangers_nothing;
            rooms:
                a_group_is_made_with_its_members,
                my_list_shows_the_last_message,
                a_direct_room_exists_once,
                two_who_open_a_direct_room_at_once_meet_in_it,
                a_direct_room_has_two_members_for_ever,
                admins_change_name_topic_and_visibility,
                a_change_that_changes_nothing_is_none,
                a_deleted_room_is_gone_for_everyone,
                public_groups_are_listed_in_pages,
                changes_have_a_rate_for_each_person,
                what_is_too_large_for_kafka_is_refused_for_good;
            curl:
                the_documented_calls_work_by_curl;
            simple:
                what_is_sent_is_listed_changed_and_deleted,
                without_a_group_it_is_the_only_or_last_used_one,
                sending_again_with_the_same_client_id_gives_the_first,
                a_direct_conversation_has_its_string_for_an_id,
                one_sends_and_changes_ones_own,
                groups_of_others_stay_closed,
                what_does_not_fit_is_told_as_a_problem,
                a_cookie_needs_our_page_here_too,
                a_list_has_the_newest_1000_or_those_before,
                a_subscriber_hears_and_says_what_all_others_do,
                a_subscriber_hears_from_now_on_alone,
                a_subscriber_is_told_what_was_not_posted,
                who_may_not_subscribe_hears_so_before_the_upgrade,
                a_subscription_ends_with_the_membership_or_the_group,
                a_subscription_ends_with_the_login,
                a_subscriber_is_online,
                a_subscriber_is_sent_elsewhere_when_the_instance_stops;
            socket:
                hello_comes_first,
                refs_come_back_as_they_were,
                nonsense_is_answered_and_forgiven,
                values_that_are_not_allowed_are_named,
                rooms_of_others_are_as_closed_as_over_http,
                a_message_reaches_everyone_in_the_room,
                what_http_sends_the_socket_tells_and_the_reverse,
                every_view_has_the_same_order,
                changes_of_rooms_and_members_are_told,
                rooms_that_one_comes_into_later_are_heard,
                typing_is_told_to_the_others,
                binary_frames_close_1003,
                text_that_is_no_utf8_closes_1007,
                a_frame_has_at_most_64_kib,
                a_text_may_come_in_fragments,
                fragments_out_of_turn_close_1002,
                fragments_have_at_most_64_kib_together,
                a_websocket_ping_and_a_goodbye_are_answered,
                the_door_asks_for_a_login_and_our_protocol,
                with_a_cookie_the_socket_is_for_our_pages,
                a_user_has_so_many_sockets,
                too_many_messages_end_the_socket;
            unread:
                from_a_message_on_it_is_unread_again,
                it_never_marks_as_read,
                my_devices_hear_it_with_a_higher_version,
                what_was_read_before_does_not_undo_it,
                what_was_sent_before_does_not_undo_it,
                it_is_so_after_a_restart_and_a_crash,
                counts_follow_edits_and_deletions,
                events_name_those_who_are_called,
                who_comes_back_begins_anew,
                it_is_for_members_and_takes_a_position;
        }
    };
    ($world:path; $($file:ident: $($story:ident),+;)+) => {
        $(mod $file {
            $(#[tokio::test]
            async fn $story() {
                crate::contract::$file::$story(&$world().await).await;
            })+
        })+
    };
}
