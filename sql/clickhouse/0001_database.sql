-- The database that holds what the sink carries and what dbt builds of it.
create database if not exists tinko
comment 'Tinko Recovery: the ledger and the cases for analysts, and the marts of dbt';
