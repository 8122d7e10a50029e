// The package hbase-client has no types of its own; load-hbase-client.ts says what of it is used.
declare module "hbase-client";
