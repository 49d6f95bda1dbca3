/** Libraries of the system that are called through koffi where they are installed; nothing depends on them. */
import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import type koffi from "koffi";

/** Where distributions keep libraries. Only the system's own folders: what is called here runs as we do. */
const DIRECTORIES = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"];

/** A function of a library. `void *` takes null, bytes, and addresses as bigints. */
export interface NativeFunction {
  (...args: readonly unknown[]): unknown;
  /** Runs in another thread. What it reads and writes must stay reachable, and untouched, until it has ended. */
  async(...args: readonly unknown[]): Promise<unknown>;
}

type LibraryHandle = ReturnType<typeof koffi.load>;
type KoffiFunction = ReturnType<LibraryHandle["func"]>;

/** koffi unloads a library that nothing refers to any more, and the addresses of its functions are no reference. */
const loadedLibraries: LibraryHandle[] = [];

/** A library that stays loaded until the thread ends. */
export class NativeLibrary {
  /** The name of the file itself, not of the link to it: `libisal.so.2.0.30`. */
  readonly fileName: string;
  readonly #handle: LibraryHandle;

  private constructor(fileName: string, handle: LibraryHandle) {
    this.fileName = fileName;
    this.#handle = handle;
    loadedLibraries.push(handle);
  }

  /**
   * Loads a library, whose code may then run: see that it is one that is known before anything of it is called.
   *
   * @param name as programs are linked with it: `libisal.so.2`
   * @param directories where it is looked for
   * @returns undefined when it is not there
   * @throws Error when it is there and cannot be loaded
   */
  static open(name: string, directories: readonly string[] = DIRECTORIES): NativeLibrary | undefined {
    const path = pathOf(name, directories);
    return path === undefined ? undefined : new NativeLibrary(basename(path), loadedKoffi().load(path));
  }

  /** @param declaration as C has it: `uint32_t imb_get_version(void)` */
  declare(declaration: string): NativeFunction {
    return nativeFunction(this.#handle.func(declaration));
  }
}

/**
 * The function at an address that a library has handed out.
 * @param declaration as C has it, without a name: `int (void *)`
 */
export function functionAt(address: bigint, declaration: string): NativeFunction {
  const module = loadedKoffi();
  return nativeFunction(module.decode(address, module.proto(declaration)) as KoffiFunction);
}

/** The address of an array buffer's first byte. Valid while it is reachable and not transferred. */
export function addressOfBuffer(buffer: ArrayBufferLike): bigint {
  return loadedKoffi().address(new Uint8Array(buffer));
}

function nativeFunction(found: KoffiFunction): NativeFunction {
  const call = (...args: readonly unknown[]): unknown => found(...args);
  const async = (...args: readonly unknown[]) =>
    new Promise<unknown>((resolve, reject) => {
      found.async(...args, (error: unknown, result: unknown) => (error === null ? resolve(result) : reject(error)));
    });
  return Object.assign(call, { async });
}

function pathOf(name: string, directories: readonly string[]): string | undefined {
  for (const directory of directories) {
    try {
      return realpathSync(join(directory, name));
    } catch {
      // Not in this one.
    }
  }
  return undefined;
}

let loaded: typeof koffi | undefined;

function loadedKoffi(): typeof koffi {
  loaded ??= createRequire(import.meta.url)("koffi") as typeof koffi;
  return loaded;
}
