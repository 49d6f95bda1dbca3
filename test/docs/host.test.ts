/** docs/host.md: what it shows of the verbs that change a host is what they say, here of a host that is a folder. */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { silent } from "../../src/events/index.ts";
import {
  collectHost,
  collectionLines,
  deleteDeployment,
  deletedText,
  deploymentByPrefix,
  type Host,
  type HostPlaces,
  pinText,
  readHost,
  rollback,
  rollbackLines,
  setPinned,
} from "../../src/host/index.ts";
import {
  checkHost,
  checkJson,
  checkText,
  type ReportText,
  repairHost,
  repairJson,
  repairText,
} from "../../src/repair/index.ts";
import {
  layersOf,
  openUpdate,
  switchTarget,
  type UpdateTarget,
  updateHost,
  upgradeTarget,
} from "../../src/update/index.ts";
import { checkLines } from "../../src/verbs/host/upgrade.ts";
import { outcomeLines } from "../../src/verbs/shared/update-verb.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import { PLAIN_UPDATE } from "../update/update-options.ts";
import { faultsOf } from "./json-schema.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";

/** How the page calls the third deployment, whose id is another whenever its image is made. */
const SHOWN_ID = "4ba1b8d2";

const schemaOf = (verb: string) => JSON.parse(readDocument(`schema/${verb}.json`));

/** A verb as its file under verbs/ puts it together: that opens the running machine, this a folder. */
class Session {
  readonly #host: FixtureHost;
  readonly #ids: readonly string[];
  /** Where the update is, whatever it is called. */
  readonly #update: string;

  constructor(host: FixtureHost, ids: readonly string[], update: string) {
    this.#host = host;
    this.#ids = ids;
    this.#update = update;
  }

  async #updateTo(words: readonly string[], choose: (host: Host) => UpdateTarget): Promise<string[]> {
    const places = this.#host.places(this.#ids[0]);
    const host = await readHost(places);
    const target = choose(host);
    const from = { ...target, source: this.#update };
    await using update = await openUpdate(places, host, from, { policy: "accept-anything", events: silent });
    const { image } = update;
    if (words.includes("--check"))
      return checkLines(target.imageReference, update, await layersOf(places, host, update));
    assert.notEqual(image.config, undefined);
    const outcome = await updateHost(places, host, update, {
      ...PLAIN_UPDATE,
      etcPath: `${this.#host.path}/etc`,
      downloadOnly: words.includes("--download-only"),
      events: silent,
    });
    return outcomeLines(target, outcome);
  }

  async run(line: string): Promise<string[]> {
    const [program, verb = "", argument] = line.split(" ");
    if (program === "rm") return this.#remove(verb);
    assert.equal(program, "sealroot");
    const places = this.#host.places(this.#ids[0]);
    const named = async () => {
      const shown = argument?.replace(SHOWN_ID, this.#ids[2]?.slice(0, SHOWN_ID.length) ?? "");
      return shown === undefined ? undefined : deploymentByPrefix(await readHost(places), shown).deploymentId;
    };
    switch (verb) {
      case "upgrade":
        return this.#updateTo(line.split(" "), (read) => upgradeTarget(read));
      case "switch":
        return this.#updateTo(line.split(" "), () => switchTarget(argument ?? "", "registry"));
      case "rollback": {
        const outcome = await rollback(places, await named());
        const { droppedId, ...rest } = outcome;
        assert.deepEqual(faultsOf(schemaOf(verb), { ...rest, dropped: droppedId ?? null }), []);
        return rollbackLines(outcome);
      }
      case "pin":
      case "unpin": {
        const outcome = setPinned(places, (await named()) ?? "", verb === "pin");
        assert.deepEqual(faultsOf(schemaOf(verb), outcome), []);
        return [pinText(outcome)];
      }
      case "delete-deployment": {
        const options = { preparedImage: undefined, events: silent };
        const deleted = await deleteDeployment(places, (await named()) ?? "", options);
        return [deletedText(deleted), ...collectionLines(deleted.collection)];
      }
      case "gc": {
        const dryRun = argument === "--dry-run";
        const options = { dryRun, scope: "all", preparedImage: undefined, events: silent } as const;
        return collectionLines(await collectHost(places, options));
      }
      case "fsck": {
        const { lines, remarks } = await this.#fsck(places, argument === "--repair");
        assert.deepEqual(
          remarks.filter((remark) => !remark.startsWith("mend them with")),
          [],
        );
        return lines.map((text) => (text.startsWith("checked:") ? text.replace(/\d+/g, "…") : text));
      }
      default:
        throw new Error(`the page shows ${line}, which this test cannot run`);
    }
  }

  async #fsck(places: HostPlaces, isRepair: boolean): Promise<ReportText> {
    if (!isRepair) {
      const check = await checkHost(places, silent);
      assert.deepEqual(faultsOf(schemaOf("fsck"), checkJson(check)), []);
      return checkText(check);
    }
    const repaired = await repairHost(places, { sources: [], policy: "accept-anything", events: silent });
    assert.deepEqual(faultsOf(schemaOf("fsck"), repairJson(repaired)), []);
    return repairText(repaired);
  }

  #remove(path: string): string[] {
    assert.match(path, /^\/efi\//);
    rmSync(join(this.#host.bootDirectory, path.slice("/efi".length).replace(`${SHOWN_ID}…`, this.#ids[2] ?? "")));
    return [];
  }

  shown(line: string): string {
    const [, , id = "-"] = this.#ids;
    // Sizes depend on the signing keys of the day.
    return line
      .replaceAll(id, `${SHOWN_ID}…`)
      .replaceAll(`deployment ${id.slice(0, 12)};`, `deployment ${SHOWN_ID}…;`)
      .replace(/[1-9][0-9]* bytes/, "… bytes")
      .replace(/^Objects: [1-9][0-9]*/, "Objects: …")
      .replace(/[0-9a-f]{128}/, "9f2e71c0…")
      .replace(/sha256:[0-9a-f]{64}/, "sha256:77d1…")
      .replace(/Size: .*/, "Size: …");
  }
}

test("docs/host.md: the sessions print what they show", async () => {
  using host = await FixtureHost.make();
  const ids: string[] = [];
  for (const number of [0, 1, 2]) {
    ids.push(await host.add({ files: [{ path: "usr/bin/number", content: "n".repeat(100 + number) }] }));
  }
  host.menu(...ids);
  await host.fillEtc(ids[0] ?? "", `${host.path}/etc`);
  const update = await host.image({ files: [{ path: "usr/bin/number", content: "n".repeat(90) }] });
  const session = new Session(host, ids, update.reference);
  const page = fencedBlocks(readDocument("host.md"), "console host").join("");
  let printed = "";
  for (const line of page.split("\n").filter((text) => text.startsWith("$ "))) {
    printed += `${line}\n`;
    for (const output of await session.run(line.slice(2))) printed += `${session.shown(output)}\n`;
  }
  assert.equal(printed, page);
});
