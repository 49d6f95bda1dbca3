/**
 * platform: what the operating system does for sealroot: system calls that Node lacks (through koffi), programs,
 * worker threads, temporary files, atomic writes.
 *
 * Ground room: knows the kernel's and libc's interfaces, nothing of composefs; may import `bytes/` and `errors/`. The
 * only room that may import koffi and node:child_process. koffi is loaded at the first system call, not at import.
 * Times with nanoseconds (statx) need nothing here: Node's `lstat` with `bigint: true` is exact.
 * @module
 */
export { isAbsent } from "./absent-file.ts";
export { type AtomicWriteOptions, replaceFile, writeFileAtomically } from "./atomic-write.ts";
export { withAttached } from "./attached-mount.ts";
export { readBoundedFile } from "./bounded-file.ts";
export { collectGarbage } from "./collect-garbage.ts";
export { copySparse } from "./copy-sparse.ts";
export { type ExitPhase, onProcessExit } from "./exit-hooks.ts";
export { makeNode, setModificationTime } from "./file-metadata.ts";
export { filePieces } from "./file-pieces.ts";
export { readUpTo, writeWhole } from "./file-range.ts";
export {
  enableVerity,
  isVerityUnsupported,
  measureVerity,
  readVerityMetadata,
  type VerityAlgorithmNumber,
  type VerityState,
} from "./fs-verity.ts";
export { collectLeftovers } from "./leftovers.ts";
export type { FilePath } from "./libc.ts";
export { type LockMode, tryLock, unlock, waitForLock } from "./lock.ts";
export {
  attachMount,
  cloneMount,
  createMount,
  detachMount,
  type FileSystemOptions,
  makeMountReadOnly,
  makeMountWritable,
} from "./mount.ts";
export { deviceNumberText, type MountEntry, parseMountTable, readMountTable } from "./mount-table.ts";
export { namesIn, namesInDirectory, namesInIfReadable } from "./names-in.ts";
export { addressOfBuffer, functionAt, type NativeFunction, NativeLibrary } from "./native-library.ts";
export { openBeneath } from "./open-beneath.ts";
export {
  createInOrder,
  exchangeInOrder,
  makeDirectoryInOrder,
  removeDirectoryInOrder,
  removeInOrder,
  replaceInOrder,
  reserveNames,
} from "./ordered-names.ts";
export { type Pkcs11Attribute, Pkcs11Error, Pkcs11Module, type Pkcs11Token, pkcs11Number } from "./pkcs11-module.ts";
export { inspectDirectoryPlace, inspectFilePlace, type Place, takeOverAccess } from "./place.ts";
export { programVersion } from "./program-version.ts";
export { promptSecret } from "./prompt-secret.ts";
export { hasRecordLock, tryRecordLock, waitForRecordLock } from "./record-lock.ts";
export { cloneBlocks } from "./reflink.ts";
export { removeTree } from "./remove-tree.ts";
export { renameExchange, renameNoReplace } from "./rename.ts";
export { runBounded, untilAborted } from "./run-bounded.ts";
export {
  type RunningTool,
  type RunToolOptions,
  runTool,
  type StartToolOptions,
  startTool,
  type ToolExit,
  type ToolResult,
} from "./run-tool.ts";
export { syncDirectory, syncFileSystem } from "./sync.ts";
export {
  largeFileDirectory,
  makeDirectory,
  type TemporaryDirectory,
  type TemporaryFile,
  type TemporaryFileOptions,
  type TemporaryOptions,
  temporaryDirectory,
  temporaryFile,
} from "./temporary.ts";
export { isTemporaryName, temporaryName } from "./temporary-name.ts";
export { findTool, requireTool, requireTools } from "./tools.ts";
export { readMeasurementLog, TPM_DEVICE, TpmDevice } from "./tpm-device.ts";
export { linkOpenFile, openUnnamedFile, reopenForReading } from "./unnamed-file.ts";
export { homeDirectory, userName } from "./user.ts";
export { type JobInput, type JobName, type JobOutput, type Jobs, serveJobs } from "./worker-jobs.ts";
export { type JobRunner, type WorkerChannel, WorkerPool, type WorkerPoolOptions } from "./worker-pool.ts";
export { fileHasXattr, getXattr, listXattrs, readOpenXattrs, readXattrs, removeXattr, setXattr } from "./xattr.ts";
