//! Kafka: to come.
