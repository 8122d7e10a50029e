// The package webhdfs has no types of its own; load-webhdfs.ts says what of it is used.
declare module "webhdfs";
