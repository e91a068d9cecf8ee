//! The life of keys: what `src/keys` guarantees, against providers that rotate, fail and misbehave.

mod answers;
mod certified;
mod compared_issuers;
mod faults;
mod fleet;
mod health;
mod left_out;
mod life;
mod misbehaving_server;
mod own_authority;
mod plain_http;
mod provider;
mod refresher;
mod refresher_model;
mod tls_listener;
mod tls_provider;
