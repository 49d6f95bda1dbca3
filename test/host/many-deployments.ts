/** A host with several deployments that is put back to what it was as often as a test wants. */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { formatComposefsArgument, formatDigestArgument } from "../../src/bls/index.ts";
import type { RuledImage } from "../install/sealed-image.ts";
import { FixtureHost } from "./fixture-host.ts";

const PARTS = ["sysroot", "esp", "run"] as const;

export class ManyDeployments implements Disposable {
  readonly host: FixtureHost;
  /** Of the last, the UKI names images of both formats. */
  readonly ids: readonly string[];
  /** The second image of the last. */
  readonly secondImage: string;

  private constructor(host: FixtureHost, ids: readonly string[], secondImage: string) {
    this.host = host;
    this.ids = ids;
    this.secondImage = secondImage;
  }

  static async make(count: number): Promise<ManyDeployments> {
    const host = await FixtureHost.make();
    const ids: string[] = [];
    for (let number = 0; number < count - 1; number++) {
      ids.push(await host.add({ files: [{ path: "usr/bin/number", content: "n".repeat(100 + number) }] }));
    }
    let secondImage = "";
    const both = (_id: string, images: readonly RuledImage[]) => {
      const [first, second] = [1, 2].map((version) => images.find((image) => image.version === version)?.id ?? "");
      secondImage = second ?? "";
      return `${formatDigestArgument(first ?? "", "sha512", 1)} ${formatComposefsArgument(secondImage)} rw`;
    };
    ids.push(await host.add({ files: [{ path: "usr/bin/both", content: "b".repeat(300) }], commandLine: both }));
    host.menu(...ids);
    const made = new ManyDeployments(host, ids, secondImage);
    mkdirSync(made.#saved);
    for (const part of PARTS) execFileSync("cp", ["-a", join(host.path, part), made.#saved]);
    return made;
  }

  get #saved(): string {
    return join(this.host.path, "saved");
  }

  id(index: number): string {
    const id = this.ids[index];
    if (id === undefined) throw new Error(`there is no deployment ${index}`);
    return id;
  }

  /** All as it was made: every deployment in the menu, the first one first. */
  restore(): void {
    for (const part of PARTS) {
      rmSync(join(this.host.path, part), { recursive: true, force: true });
      execFileSync("cp", ["-a", join(this.#saved, part), this.host.path]);
    }
  }

  [Symbol.dispose](): void {
    this.host[Symbol.dispose]();
  }
}
