/**
 * The part of QuickJS's globals that the boot program uses (QuickJS documentation, "The std module", "The os module";
 * `qjs --std` makes both global). Types only.
 */

/** Results are a value and an errno, 0 when all is well. */
type WithErrno<T> = [value: T, errno: number];

interface QuickJsOs {
  readonly O_RDONLY: number;
  readonly O_WRONLY: number;
  readonly O_RDWR: number;
  readonly O_CREAT: number;
  readonly O_EXCL: number;
  readonly O_TRUNC: number;
  readonly WNOHANG: number;
  readonly S_IFMT: number;
  readonly S_IFDIR: number;
  readonly S_IFREG: number;
  /** A file descriptor, or minus the errno. */
  open(path: string, flags: number, mode?: number): number;
  close(descriptor: number): number;
  read(descriptor: number, buffer: ArrayBuffer, offset: number, length: number): number;
  write(descriptor: number, buffer: ArrayBuffer, offset: number, length: number): number;
  pipe(): [readEnd: number, writeEnd: number];
  /** The child's pid; every descriptor above 2 is closed in the child. */
  exec(
    command: string[],
    options: {
      block: false;
      usePath: false;
      stdin: number;
      stdout: number;
      stderr: number;
      env: Record<string, string>;
    },
  ): number;
  waitpid(pid: number, options: number): [pid: number, status: number];
  getpid(): number;
  remove(path: string): number;
  /** Neither lines nor echo nor signals by keys. */
  ttySetRaw(descriptor: number): void;
  mkdir(path: string, mode: number): number;
  symlink(target: string, path: string): number;
  stat(path: string): WithErrno<{ readonly mode: number } | null>;
  realpath(path: string): WithErrno<string>;
  readlink(path: string): WithErrno<string>;
  readdir(path: string): WithErrno<string[]>;
  sleep(milliseconds: number): number;
}

interface QuickJsFile {
  puts(text: string): void;
  flush(): void;
}

interface QuickJsStd {
  readonly err: QuickJsFile;
  exit(status: number): never;
}

declare global {
  const os: QuickJsOs;
  const std: QuickJsStd;
  /** The script's name, then its arguments. */
  const scriptArgs: string[];
}

export type { QuickJsOs, QuickJsStd };
