/** What is held for as long as a comparison takes. */
import { join } from "node:path";
import { largeFileDirectory, type TemporaryDirectory, temporaryDirectory } from "../platform/index.ts";
import { initRepository, type Repository } from "../repository/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";

/** A repository, made when it is first needed, which both sides share; and whatever else they hold open. */
export class Scratch implements Disposable {
  readonly #kept: Disposable[] = [];
  #directory: TemporaryDirectory | undefined;
  #repository: Repository | undefined;

  async repository(algorithm: VerityAlgorithm): Promise<Repository> {
    if (this.#repository !== undefined) return this.#repository;
    this.#directory = temporaryDirectory({ parent: largeFileDirectory(), purpose: "diff" });
    const path = join(this.#directory.path, "repository");
    const { repository } = await initRepository(path, { algorithm, protection: "insecure", isTemporary: true });
    this.#repository = repository;
    return repository;
  }

  keep<Held extends Disposable>(held: Held): Held {
    this.#kept.push(held);
    return held;
  }

  [Symbol.dispose](): void {
    for (const held of this.#kept) held[Symbol.dispose]();
    this.#repository?.close();
    this.#directory?.remove();
  }
}
