//! What a store has to do, told as stories and run on SQLite and on MySQL alike.
//!
//! `ROOKERY_TEST_MYSQL` has to name a server that lets its user make databases
//! (`mysql://user:password@host:port`); `tests/services` starts one.

mod accounts;
mod changes;
mod faults;
mod history;
mod log;
mod reading;
mod rooms;
mod search;
mod unread;
mod upgrade;
mod world;

/// Runs every story on both databases, each on an empty one.
macro_rules! stories {
    ($($noun:ident: $($story:ident),+;)+) => {
        mod sqlite {
            $(mod $noun {
                $(#[tokio::test]
                async fn $story() {
                    let place = crate::world::Place::sqlite();
                    crate::$noun::$story(&place).await;
                    place.leave().await;
                })+
            })+
        }
        mod mysql {
            $(mod $noun {
                $(#[tokio::test]
                async fn $story() {
                    let place = crate::world::Place::mysql().await;
                    crate::$noun::$story(&place).await;
                    place.leave().await;
                })+
            })+
        }
    };
}

stories! {
    accounts:
        a_name_belongs_to_one_person_whatever_its_case,
        the_directory_takes_a_query_literally,
        some_people_come_in_pages_whichever_way_they_are_found,
        a_login_lives_until_it_is_ended,
        a_new_password_ends_the_other_logins,
        a_disabled_person_is_out_at_once,
        a_hub_admin_is_one_until_it_is_taken_back,
        logins_that_are_over_are_told_with_the_reason,
        last_seen_never_goes_back,
        many_people_are_found_at_once,
        a_login_knows_where_it_was_used_last,
        a_deleted_account_leaves_an_id_alone;
    rooms:
        a_written_fold_comes_back_as_it_was,
        a_mute_outlives_leaving_and_ends_with_the_room,
        the_audit_says_what_a_hub_admin_did_as_one,
        random_days_come_back_as_they_were,
        a_room_lived_through_in_one_batch_leaves_a_tombstone,
        a_deleted_room_leaves_nothing,
        a_large_deleted_room_leaves_nothing,
        unread_is_what_others_said_since,
        read_markers_only_grow,
        a_mention_counts_once,
        rooms_look_different_from_inside_and_outside,
        a_direct_room_is_named_after_the_other,
        public_rooms_are_listed_in_the_order_they_were_made,
        a_full_window_says_that_there_was_more;
    reading:
        a_marker_that_is_set_back_has_a_higher_version,
        receipts_are_for_small_rooms_and_of_those_who_want;
    history:
        pages_have_edges,
        a_page_around_a_message_has_both_sides,
        a_message_is_found_by_its_names,
        of_two_sends_under_one_name_the_first_counts,
        texts_come_back_as_they_were_sent,
        a_replay_has_everything_in_one_order,
        a_removal_is_where_a_replay_ends;
    changes:
        an_edit_and_a_deletion_are_written,
        reactions_are_written_in_order,
        a_reply_shows_what_it_replies_to_as_it_is_now,
        a_replay_keeps_no_secret_of_the_past,
        the_messages_changed_last_come_back;
    search:
        it_finds_what_a_look_at_every_text_finds,
        it_finds_as_much_in_many_rooms;
    upgrade:
        what_the_first_version_wrote_is_kept,
        edits_reactions_and_bans_of_an_older_version_are_kept,
        what_the_version_before_said_after_it_came_back_is_found;
    unread:
        unread_by_numbers_is_unread_by_counting,
        a_marker_that_comes_back_is_reckoned_anew;
    log:
        of_two_persisters_one_is_fenced,
        a_fenced_batch_leaves_nothing,
        a_log_made_anew_raises_the_epoch,
        two_instances_open_the_log_at_once,
        what_a_second_instance_appends_is_no_new_log,
        another_number_of_partitions_is_refused,
        two_instances_migrate_at_once,
        many_write_at_once,
        readers_and_writers_of_one_room_do_not_fail_each_other,
        a_large_batch_is_written_whole;
}
