/** `install edit`: /etc and /var of an installed disk file are looked into and changed without root. */
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { byteStringOfText } from "../../../src/bytes/index.ts";
import { run } from "../../cli/run-verb.ts";
import {
  assertClean,
  copyOf,
  debugfs,
  digestOf,
  edit,
  folder,
  installed,
  refused,
  type TestDisk,
} from "./edited-disk.ts";

const MIB = 1024 * 1024;
/** Version 2: owner rw, user 1000 rwx, group r, mask rwx, others nothing (linux/posix_acl_xattr.h). */
const ACL = Buffer.from(
  "020000000100060000000000" + "02000700e8030000" + "0400040000000000" + "1000070000000000" + "2000000000000000",
  "hex",
);
const CONTEXTS = `/.* system_u:object_r:default_t:s0
/etc(/.*)? system_u:object_r:etc_t:s0
/etc/shadow -- system_u:object_r:shadow_t:s0
/etc/keys(/.*)? system_u:object_r:cert_t:s0
/etc/keys -d system_u:object_r:certdir_t:s0
/etc/nothing <<none>>
/srv/site(/.*)? system_u:object_r:httpd_t:s0
/var(/.*)? system_u:object_r:var_t:s0
`;
const MANY = 3000;

let disk: TestDisk;
before(async () => {
  disk = await installed("base", [
    { path: "etc/passwd", content: "root:x:0:0::/root:/bin/sh\napp:x:990:991::/:/bin/false\n" },
    { path: "etc/group", content: "root:x:0:\nshadow:x:42:\napp:x:991:app\n" },
    {
      path: "etc/acl",
      content: "acl",
      header: { mode: 0o670, xattrs: new Map([[byteStringOfText("system.posix_acl_access"), ACL]]) },
    },
    { path: "etc/to-var", linkPath: "/var/log" },
    { path: "etc/to-usr", linkPath: "../usr/bin/tool" },
    { path: "etc/up", linkPath: "../../../../etc/hostname" },
    { path: "etc/loop", linkPath: "loop" },
    { path: "etc/dangling", linkPath: "later/file" },
    { path: "home", linkPath: "var/home" },
    { path: "var/home" },
    { path: "var/many" },
    ...Array.from({ length: MANY }, (_, index) => ({ path: `var/many/file-${index}`, content: "" })),
    { path: "var/site", header: {} },
    { path: "etc/selinux" },
    { path: "etc/selinux/config", content: "SELINUX=enforcing\nSELINUXTYPE=targeted\n" },
    { path: "etc/selinux/targeted" },
    { path: "etc/selinux/targeted/contexts" },
    { path: "etc/selinux/targeted/contexts/files" },
    { path: "etc/selinux/targeted/contexts/files/file_contexts", content: CONTEXTS },
    { path: "etc/selinux/targeted/contexts/files/file_contexts.subs_dist", content: "/var/site /srv/site\n" },
  ]);
});

const source = (name: string, content: string | Buffer, mode = 0o600): string => {
  const path = join(folder("sources"), name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
};

interface Listed {
  readonly path: string;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly target: string | null;
  readonly label: string | null;
}

async function listed(of: TestDisk, path: string, ...options: string[]): Promise<Listed[]> {
  return JSON.parse(await edit("list", of, path, "--json", ...options)).files;
}

const fact = ({ path, mode, uid, gid, sizeBytes, label }: Listed) =>
  `${path} ${mode} ${uid}:${gid} ${sizeBytes} ${label?.split(":")[2] ?? "none"}`;

test("a list shows what is in a directory, as JSON and as text; a link itself, or with a slash where it leads", async () => {
  const files = await listed(disk, "/etc/selinux", "--recursive");
  assert.deepEqual(
    files.map(({ path }) => path),
    [
      "/etc/selinux/config",
      "/etc/selinux/targeted",
      "/etc/selinux/targeted/contexts",
      "/etc/selinux/targeted/contexts/files",
      "/etc/selinux/targeted/contexts/files/file_contexts",
      "/etc/selinux/targeted/contexts/files/file_contexts.subs_dist",
    ],
  );
  assert.equal(
    await edit("list", disk, "/etc/to-var"),
    "l0644  0:0  8  2020-09-13 12:26:40  /etc/to-var -> /var/log\n",
  );
  assert.equal(await edit("list", disk, "/etc/to-var/"), "-0644  0:0  70  2020-09-13 12:26:40  /var/log/first\n");
  assert.deepEqual((await listed(disk, "/etc/shadow")).map(fact), ["/etc/shadow 0640 0:42 140 shadow_t"]);
  assert.equal((await listed(disk, "/var/many")).length, MANY);
});

test("a file is got byte for byte, to standard output and to a file", async () => {
  assert.equal(await edit("get", disk, '/etc/odd "name" ü'), "x".repeat(5000));
  assert.equal(await edit("get", disk, "/etc/empty"), "");
  const path = join(folder("got"), "hostname");
  assert.equal(await edit("get", disk, "/etc/up", "-o", path), "");
  assert.equal(readFileSync(path, "utf8"), "testos\n");
});

test("a replaced file keeps mode, owner, label and access list; others can be given; the disk its mode", async () => {
  const own = copyOf(disk, "replaced");
  chmodSync(own.path, 0o640);
  assert.equal(await edit("put", own, "/etc/shadow", source("s", "root:!:\n")), "replaced  /etc/shadow\n");
  assert.deepEqual((await listed(own, "/etc/shadow")).map(fact), ["/etc/shadow 0640 0:42 8 shadow_t"]);
  await edit("put", own, "/etc/acl", source("a", "changed"), "--owner", "app:shadow");
  assert.deepEqual((await listed(own, "/etc/acl")).map(fact), ["/etc/acl 0670 990:42 7 etc_t"]);
  const acl = /access \((\d+)\) = ([0-9a-f ]+)/;
  const of = async (one: TestDisk) =>
    acl.exec(await debugfs(one, `ea_list /state/deploy/${disk.deploymentId}/etc/acl`))?.slice(1);
  assert.deepEqual(await of(own), await of(disk));
  assert.notEqual(await of(own), undefined);
  await edit("put", own, "/etc/shadow", source("s", ""), "--mode", "600", "--owner", "7:8");
  assert.deepEqual((await listed(own, "/etc/shadow")).map(fact), ["/etc/shadow 0600 7:8 0 shadow_t"]);
  assert.equal(statSync(own.path).mode & 0o777, 0o640);
  await assertClean(own);
});

test("new files belong to root, are labelled by the deployment's policy and inherit a set-group-id directory's group", async () => {
  const own = copyOf(disk, "new");
  const put = (path: string, ...options: string[]) => edit("put", own, path, source("key", "key\n"), ...options);
  assert.equal(
    await put("/etc/keys/deep/er/key"),
    "added     /etc/keys\nadded     /etc/keys/deep\nadded     /etc/keys/deep/er\nadded     /etc/keys/deep/er/key\n",
  );
  assert.deepEqual((await listed(own, "/etc/keys", "--recursive")).map(fact), [
    "/etc/keys/deep 0755 0:0 4096 cert_t",
    "/etc/keys/deep/er 0755 0:0 4096 cert_t",
    "/etc/keys/deep/er/key 0644 0:0 4 cert_t",
  ]);
  const etc = (await listed(own, "/etc")).filter(({ path }) => path === "/etc/keys");
  assert.deepEqual(etc.map(fact), ["/etc/keys 0755 0:0 4096 certdir_t"]);
  // A rule that says "none" leaves the kernel's choice: that of the directory.
  await put("/etc/nothing");
  await put("/var/site/page");
  await put("/var/log/sub/file", "--mode", "640");
  await edit("put", own, "/etc/program", source("program", "#!/bin/sh\n", 0o711));
  const facts = await Promise.all(
    ["/etc/nothing", "/var/site/page", "/var/log/sub", "/etc/program"].map(async (path) =>
      (await listed(own, path)).map(fact),
    ),
  );
  assert.deepEqual(facts.flat(), [
    "/etc/nothing 0644 0:0 4 etc_t",
    "/var/site/page 0644 0:0 4 httpd_t",
    "/var/log/sub/file 0640 0:4 4 var_t",
    "/etc/program 0755 0:0 10 etc_t",
  ]);
  assert.deepEqual((await listed(own, "/var/log")).map(fact), [
    "/var/log/first 0644 0:0 70 var_t",
    "/var/log/sub 2755 0:4 4096 var_t",
  ]);
  await assertClean(own);
});

test("hundreds of files, large, sparse, empty and oddly named, go in at once, and the umask changes nothing", async () => {
  const tree = join(folder("tree"), "sub dir");
  mkdirSync(join(tree, "inner"), { recursive: true });
  const names = Array.from({ length: 300 }, (_, index) => `file ${index}`);
  for (const name of names) writeFileSync(join(tree, name), name);
  const odd = ["<12>", 'a "q" b', "..x", "-r", "tab\there", "ü", "#", "n".repeat(255), "'", "\\", "$(x)"];
  for (const name of odd) writeFileSync(join(tree, "inner", name), name);
  writeFileSync(join(tree, "empty"), "");
  writeFileSync(join(tree, "large"), Buffer.alloc(20 * MIB, "large content\n"));
  writeFileSync(join(tree, "sparse"), "begin");
  truncateSync(join(tree, "sparse"), 60 * MIB);
  symlinkSync("a target/../with spaces", join(tree, "link"));
  symlinkSync("t".repeat(3000), join(tree, "long link"));
  const digests = [];
  for (const umask of [0o022, 0o077]) {
    const own = copyOf(disk, `many-${umask}`);
    const before = process.umask(umask);
    process.env.SOURCE_DATE_EPOCH = "1700000001";
    try {
      const { deploymentId, edits } = JSON.parse(await edit("put", own, "/var/", tree, "--json"));
      assert.equal(deploymentId, disk.deploymentId);
      assert.equal(edits.length, names.length + odd.length + 7);
      assert.ok(edits.every(({ change }: { change: string }) => change === "added"));
    } finally {
      process.umask(before);
      delete process.env.SOURCE_DATE_EPOCH;
    }
    await assertClean(own);
    assert.equal(await edit("get", own, "/var/sub dir/large"), readFileSync(join(tree, "large"), "latin1"));
    assert.equal(await edit("get", own, "/var/sub dir/sparse"), readFileSync(join(tree, "sparse"), "latin1"));
    for (const name of [...odd])
      assert.equal(await edit("get", own, `/var/sub dir/inner/${name}`), Buffer.from(name).toString("latin1"));
    const links = (await listed(own, "/var/sub dir")).filter(({ target }) => target !== null);
    assert.deepEqual(
      links.map(({ target }) => target),
      ["a target/../with spaces", "t".repeat(3000)],
    );
    assert.match(await debugfs(own, `stat "/state/os/default/var/sub dir/sparse"`), /Blockcount: 8\n/);
    digests.push(digestOf(own.path));
    assert.deepEqual(readdirSync(join(own.path, "..")), ["disk.img"]);
  }
  assert.equal(digests[0], digests[1]);
});

test("a directory that the kernel indexes takes more files and loses some", async () => {
  const own = copyOf(disk, "indexed");
  const more = join(folder("more"), "files");
  mkdirSync(more);
  for (let index = 0; index < 500; index++) writeFileSync(join(more, `more-${index}`), "");
  const sources = readdirSync(more).map((name) => join(more, name));
  await edit("put", own, "/var/many", ...sources);
  assert.equal((await listed(own, "/var/many")).length, MANY + 500);
  await edit("remove", own, "/var/many/file-1234");
  assert.equal((await listed(own, "/var/many")).length, MANY + 499);
  assert.equal(existsSync(own.path), true);
  await assertClean(own);
  await edit("remove", own, "/var/many", "--recursive");
  assert.deepEqual(
    (await listed(own, "/var")).map(({ path }) => path),
    ["/var/home", "/var/log", "/var/site", "/var/spool"],
  );
  await assertClean(own);
});

test("links are followed inside the deployment and never lead out of it", async () => {
  const own = copyOf(disk, "links");
  const file = source("new", "new\n");
  assert.equal(await edit("put", own, "/etc/to-var/added", file), "added     /var/log/added\n");
  assert.equal(
    await edit("put", own, "/home/user/.profile", file),
    "added     /var/home/user\nadded     /var/home/user/.profile\n",
  );
  assert.equal(await edit("put", own, "/../../etc/up", file), "replaced  /etc/hostname\n");
  assert.equal(
    await edit("put", own, "/var/../etc/./dangling", file),
    "added     /etc/later\nadded     /etc/later/file\n",
  );
  assert.match(
    await refused("put", own, "/etc/to-usr", file),
    /Cannot use "\/etc\/to-usr" \(it leads to "\/usr\/bin\/tool"\): it is part of the sealed image\n.*only \/etc and \/var are kept outside the image/s,
  );
  assert.match(
    await refused("put", own, "/usr/lib/x", file),
    /Cannot use "\/usr\/lib\/x": it is part of the sealed image/,
  );
  assert.match(await refused("get", own, "/etc/loop"), /Cannot resolve "\/etc\/loop": more than 40 symbolic links/);
  assert.match(
    await refused("put", own, "/etc/no/../x", file),
    /Cannot use "\/etc\/no\/\.\.\/x": there is no such directory/,
  );
  assert.match(await refused("put", own, "/etc/hostname/x", file), /leads through something that is not a directory/);
  // The link itself is removed, not where it leads.
  assert.equal(await edit("remove", own, "/etc/to-usr"), "removed   /etc/to-usr\n");
  await assertClean(own);
});

test("what cannot be done is refused with the reason, and nothing is changed", async () => {
  const file = source("f", "x");
  assert.match(await refused("remove", disk, "/etc/none"), /Cannot remove "\/etc\/none": there is no such file/);
  assert.match(await refused("remove", disk, "/etc/selinux"), /the directory is not empty\n.*--recursive/s);
  assert.match(
    await refused("remove", disk, "/var", "--recursive"),
    /Cannot change "\/var": it is the directory itself/,
  );
  assert.match(
    await refused("mkdir", disk, "/etc/hostname"),
    /Cannot change "\/etc\/hostname": it is there, and not a directory/,
  );
  assert.match(await refused("put", disk, "/etc/new", "/dev/null"), /it is not a file, link or directory/);
  assert.match(await refused("put", disk, "/etc/a\nb", file), /the name "a\\nb" has a line break/);
  assert.match(
    await refused("put", disk, "/etc/x", "/nonexistent"),
    /Cannot read \/nonexistent: there is no such file/,
  );
  assert.match(
    await refused("put", disk, "/etc/x", file, "--owner", "nobody"),
    /"nobody" is not in the deployment's \/etc\/passwd/,
  );
  assert.match(await refused("put", disk, "/etc/dir/", file, file), /Cannot put "\/etc\/dir\/f" twice/);
  assert.match(await refused("get", disk, "/etc/selinux"), /it is a directory, not a regular file/);
  assert.match(await refused("list", disk, "/etc", "--deployment", "ffff"), /none has the id ffff/);
  const large = join(folder("sources"), "large");
  writeFileSync(large, "");
  truncateSync(large, 400 * MIB);
  assert.match(
    await refused("put", disk, "/var/large", large),
    /Cannot edit the disk: 401 MiB needed, \d+ MiB free in its root file system/,
  );
  assert.match(
    await refused("put", disk, "etc/x", file),
    /Cannot use the path "etc\/x": it does not begin with a slash/,
  );
  assert.match(
    await refused("put", disk, "/etc/x", file, "--mode", "9"),
    /Cannot use --mode 9: it is not an octal number up to 7777/,
  );
});

test("nothing to change is no change", async () => {
  const before = digestOf(disk.path);
  assert.equal(await edit("mkdir", disk, "/etc/selinux"), "nothing to change\n");
  assert.equal(digestOf(disk.path), before);
  const own = copyOf(disk, "mkdir");
  await edit("mkdir", own, "/var/lib/app", "--mode", "700", "--owner", "app:app");
  assert.deepEqual((await listed(own, "/var/lib")).map(fact), ["/var/lib/app 0700 990:991 4096 var_t"]);
  assert.match((await listed(own, "/var")).map(fact).join("\n"), /^\/var\/lib 0755 0:0 4096 var_t$/m);
});

test("a hard link of the disk file, and one inside: the other names keep the old", async () => {
  const own = copyOf(disk, "hard");
  linkSync(own.path, join(own.path, "../second.img"));
  const before = digestOf(own.path);
  const progress = await run("install", "edit", "put", own.path, "/etc/hostname", source("h", "h\n"));
  assert.equal(progress.exitCode, 0);
  assert.equal(digestOf(join(own.path, "../second.img")), before);
  assert.equal(await edit("get", own, "/etc/hostname"), "h\n");
});
