//! Which files are stores, and whose.

use std::os::unix::fs::symlink;

use super::*;

#[tokio::test]
async fn only_one_process_serves_from_a_store() {
    let story = Story::begin().await;
    let path = story.folder.path().join("bugle.db");
    let second = open(&path).unwrap_err();
    assert!(matches!(second, OpenError::InUse(_)), "{second}");
    drop(story.restart().await);
}

#[tokio::test]
async fn another_name_for_the_same_store_is_the_same_store() {
    let story = Story::begin().await;
    let alias = story.folder.path().join("alias.db");
    symlink(story.folder.path().join("bugle.db"), &alias).unwrap();
    assert!(matches!(open(&alias).unwrap_err(), OpenError::InUse(_)));
}

#[tokio::test]
async fn another_programs_database_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bugle.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE events (id)").unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = open(&path).unwrap_err();
    assert!(matches!(refused, OpenError::Foreign(_)), "{refused:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn what_is_no_store_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bugle.db");
    std::fs::write(&path, "this is a letter to grandmother, and no database at all".repeat(50)).unwrap();
    let refused = open(&path).unwrap_err();
    assert!(matches!(refused, OpenError::NoDatabase(_)), "{refused:?}");
    let nowhere = open(&folder.path().join("no/such/folder/bugle.db")).unwrap_err();
    assert!(matches!(nowhere, OpenError::Io { .. }), "{nowhere:?}");
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    let story = Story::begin().await;
    let path = story.folder.path().join("bugle.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute("INSERT INTO refinery_schema_history VALUES (99, 'future', '2030-01-01T00:00:00Z', '1')", [])
        .unwrap();
    drop(connection);
    let Story { folder, outbox, closing, .. } = story;
    drop(outbox);
    tokio::task::spawn_blocking(move || closing.wait()).await.unwrap();
    let refused = open(&path).unwrap_err();
    assert!(matches!(refused, OpenError::Newer(_)), "{refused:?}");
    drop(folder);
}
