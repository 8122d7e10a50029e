// What the checkpoint store and the import of checkpoints share with the sink: the address of a folder of HDFS, and the
// operations on its files. A closed list.
export { type HdfsAddress, parseHdfsUrl } from "./address.ts";
export { type FileStatus, HdfsFileSystem, type Moved } from "./file-system.ts";
