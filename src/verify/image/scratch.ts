/** Where an image is read that is in no repository: a repository for as long as it takes. */
import { join } from "node:path";
import { largeFileDirectory, temporaryDirectory } from "../../platform/index.ts";
import { initRepository, type Repository } from "../../repository/index.ts";

/** @returns a repository that is removed when it is disposed of */
export async function scratchRepository(): Promise<Disposable & { readonly repository: Repository }> {
  const directory = temporaryDirectory({ parent: largeFileDirectory(), purpose: "verify" });
  try {
    const path = join(directory.path, "repository");
    // UKIs of hosts name images by SHA-512 (spec/host.md 0).
    const { repository } = await initRepository(path, {
      algorithm: "sha512",
      protection: "insecure",
      isTemporary: true,
    });
    return {
      repository,
      [Symbol.dispose]() {
        repository.close();
        directory.remove();
      },
    };
  } catch (error) {
    directory.remove();
    throw error;
  }
}
