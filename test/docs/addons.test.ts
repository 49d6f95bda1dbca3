/** docs/host.md, "Add-ons": the session prints what it shows, here of a host that is a folder. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { silent } from "../../src/events/index.ts";
import {
  addAddons,
  addedAddonLines,
  addonListLines,
  addonsOfHost,
  type HostPlaces,
  readHost,
  referencedAddonLines,
  referencedAddons,
  removeAddon,
  removedAddonLines,
} from "../../src/host/index.ts";
import { openUpdate, updateHost, upgradeTarget } from "../../src/update/index.ts";
import { outcomeLines } from "../../src/verbs/shared/update-verb.ts";
import { addon, inImage } from "../host/addon-files.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import { PLAIN_UPDATE } from "../update/update-options.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";

/** How the page calls the deployment that runs, and the new one. */
const SHOWN = ["4ba1b8d2", "9f2e71c0"] as const;

class Session {
  readonly #host: FixtureHost;
  readonly #ids: readonly string[];
  readonly #update: string;

  constructor(host: FixtureHost, ids: readonly string[], update: string) {
    this.#host = host;
    this.#ids = ids;
    this.#update = update;
  }

  async run(line: string): Promise<string[]> {
    const [program, verb, action = "", name = "", more] = line.split(" ");
    const places = this.#host.places(this.#ids[0]);
    assert.equal(program, "sealroot");
    if (verb === "upgrade") return this.#upgrade(places, action, name);
    assert.equal(verb, "uki-addon");
    const host = await readHost(places);
    switch (action) {
      case "list":
        return addonListLines(addonsOfHost(places).addons);
      case "list-referenced":
        return referencedAddonLines(await referencedAddons(places, host));
      case "add": {
        assert.ok(host.booted !== undefined && more !== undefined);
        const names = { scoped: [], global: [], [more]: [name] };
        const options = { firmware: undefined, reporter: { warn: (text: string) => assert.fail(text) } };
        return (await addAddons(places, host.booted, names, options)).flatMap(addedAddonLines);
      }
      case "remove": {
        const id = SHOWN.indexOf(more as (typeof SHOWN)[number]);
        return removedAddonLines(removeAddon(places, name, id < 0 ? more : this.#ids[id]?.slice(0, 8)));
      }
      default:
        throw new Error(`the page shows ${line}, which this test cannot run`);
    }
  }

  async #upgrade(places: HostPlaces, option: string, name: string): Promise<string[]> {
    assert.equal(option, "--uki-addon");
    const host = await readHost(places);
    const target = { ...upgradeTarget(host), source: this.#update };
    await using update = await openUpdate(places, host, target, { policy: "accept-anything", events: silent });
    const outcome = await updateHost(places, host, update, {
      ...PLAIN_UPDATE,
      addons: { scoped: [name], global: [] },
      etcPath: join(this.#host.path, "etc"),
      events: silent,
    });
    return outcomeLines(target, outcome);
  }

  shown(line: string): string {
    return SHOWN.reduce((text, shown, index) => text.replaceAll(this.#ids[index] ?? "-", `${shown}…`), line);
  }
}

test("docs/host.md: the session with add-ons prints what it shows", async () => {
  using host = await FixtureHost.make();
  const [debug, trace, site] = await Promise.all(
    ["debug", "trace_event=sched", "site=north"].map((text) => addon(text)),
  );
  assert.ok(debug !== undefined && trace !== undefined && site !== undefined);
  const global = { "site-config": site };
  // Listed in the order of ids, which are others whenever the images are made: the one that runs is the first.
  const contents = ["o", "n"].map((letter) => [{ path: "usr/bin/version", content: letter.repeat(90) }]);
  const [older, newer] = [
    { beside: inImage({ scoped: { debug }, global }) },
    { beside: inImage({ scoped: { debug, trace }, global }) },
  ];
  const made = await Promise.all(
    contents.map(async (files) => ({ files, ...(await host.image({ ...newer, files })) })),
  );
  const [first, second] = made.sort((a, b) => (a.deploymentId < b.deploymentId ? -1 : 1));
  assert.ok(first !== undefined && second !== undefined);
  const booted = await host.add({ ...older, files: first.files });
  assert.equal(booted, first.deploymentId);
  await host.fillEtc(booted, join(host.path, "etc"));
  const session = new Session(host, [booted, second.deploymentId], second.reference);
  const page = fencedBlocks(readDocument("host.md"), "console addons").join("");
  let printed = "";
  for (const line of page.split("\n").filter((text) => text.startsWith("$ "))) {
    printed += `${line}\n`;
    for (const output of await session.run(line.slice(2))) printed += `${session.shown(output)}\n`;
  }
  assert.equal(printed, page);
});
