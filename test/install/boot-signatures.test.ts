import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { certificateOf, describeCertificate } from "../../src/cms/index.ts";
import { parseSignatureLists, readVariableStore } from "../../src/efi/index.ts";
import { type InstallToDiskOptions, installToDisk } from "../../src/install/index.ts";
import { generateKeys, loadEnrolment, loadSigner } from "../../src/keys/index.ts";
import { signPe } from "../../src/pe/index.ts";
import { loaderImage, peImage } from "../bootloader/pe-fixture.ts";
import { temporaryKeys } from "../keys/temporary-keys.ts";
import {
  baseFiles,
  enrolmentFiles,
  type ImageFile,
  LOADER_PATH,
  type SealOptions,
  sealImage,
  TEST_KEYS,
} from "./sealed-image.ts";

const MIB = 1024 * 1024;
const scratch = mkdtempSync(join(tmpdir(), "sealroot-install-signatures-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const other = await temporaryKeys("other");
let count = 0;

const KEYS_FOLDER = "usr/lib/bootc/install/secureboot-keys";
const isKey = ({ path }: ImageFile) => path.startsWith(`${KEYS_FOLDER}/`);
const withoutKeys = () => baseFiles().filter((file) => !isKey(file));
/** The files with these in place of those at the same path. */
function withFiles(files: readonly ImageFile[], ...changed: readonly ImageFile[]): ImageFile[] {
  return [...files.filter(({ path }) => !changed.some((file) => file.path === path)), ...changed];
}

/** Installs an image; returns what was warned of. */
async function install(
  files: readonly ImageFile[],
  seal: SealOptions = {},
  addonNames: readonly string[] = [],
  choices: Pick<InstallToDiskOptions, "enrolment"> = {},
) {
  const directory = join(scratch, String(count++));
  mkdirSync(directory);
  const { reference } = await sealImage(directory, files, seal);
  const warnings: string[] = [];
  const options: InstallToDiskOptions = {
    target: join(directory, "disk.img"),
    source: reference,
    registry: undefined,
    sizeBytes: 256 * MIB,
    espSizeBytes: 64 * MIB,
    wipe: false,
    targetName: "quay.io/example/os:latest",
    targetTransport: "registry",
    addonNames,
    ...choices,
    events: (event) => event.type === "message" && event.level === "warning" && warnings.push(event.text),
  };
  try {
    const { loaderIsSigned } = await installToDisk(options);
    return { warnings, loaderIsSigned };
  } catch (error) {
    assert.ok(!existsSync(options.target));
    throw error;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const addonOf = (sections: Readonly<Record<string, string>>) => peImage({ ".text": "addon", ...sections });
const beside = async (content: Uint8Array, signer = TEST_KEYS.signer): Promise<SealOptions> => ({
  beside: [{ path: "boot/EFI/Linux/debug.addon.efi", content: await signPe(content, signer) }],
});
const REFUSES = "firmware with the keys in auto/ refuses it, as";
const FOREIGN = /its certificate "CN=other db" is neither trusted nor issued by a trusted one$/.source;
const LOADER = `the boot loader /${LOADER_PATH}`;
const UKI = "the UKI /boot/EFI/Linux/6.12.efi";

const refusals: readonly (readonly [string, () => Promise<unknown>, string, RegExp])[] = [
  [
    "a UKI by a key that the image does not enrol",
    () => install(baseFiles(), { signer: other.signer }),
    "untrusted",
    new RegExp(`^Cannot use ${UKI}: ${REFUSES} ${FOREIGN}`),
  ],
  [
    "a UKI without signature, and keys",
    () => install(baseFiles(), { signer: null }),
    "untrusted",
    new RegExp(`^Cannot use ${UKI}: ${REFUSES} it is not signed$`),
  ],
  [
    "a loader by a key that the image does not enrol",
    async () =>
      install(withFiles(baseFiles(), { path: LOADER_PATH, content: await signPe(loaderImage("257"), other.signer) })),
    "untrusted",
    new RegExp(`^Cannot use ${LOADER}: ${REFUSES} ${FOREIGN}`),
  ],
  [
    "a loader that is signed in name only, and keys",
    () => install(withFiles(baseFiles(), { path: LOADER_PATH, content: loaderImage("257") })),
    "untrusted",
    new RegExp(`^Cannot use ${LOADER}: ${REFUSES} it is not signed$`),
  ],
  [
    "an add-on by a key that the image does not enrol",
    async () => install(baseFiles(), await beside(addonOf({ ".cmdline": "debug" }), other.signer), ["debug"]),
    "untrusted",
    new RegExp(`^Cannot use the add-on debug: ${REFUSES} ${FOREIGN}`),
  ],
  [
    "keys in a second folder that vouch for nothing on the disk",
    () => install([...baseFiles(), { path: `${KEYS_FOLDER}/spare` }, ...enrolmentFiles(other.enrolment, "spare")]),
    "untrusted",
    /^Cannot use the boot loader .*: firmware with the keys in spare\/ refuses it/,
  ],
  [
    "an enrolment file that is none",
    () => install(withFiles(baseFiles(), { path: `${KEYS_FOLDER}/auto/db.auth`, content: "db".repeat(50) })),
    "corrupt",
    /^Cannot use the enrolment file auto\/db\.auth: /,
  ],
  [
    "a signature that is broken, where no keys are enrolled",
    async () => {
      const content = Buffer.from(await signPe(loaderImage("257"), TEST_KEYS.signer));
      content.writeUInt8(content.readUInt8(content.length - 100) ^ 1, content.length - 100);
      return install(withFiles(withoutKeys(), { path: LOADER_PATH, content }));
    },
    "corrupt",
    new RegExp(`^Cannot use ${LOADER}: the signature does not match the key of "CN=test db"$`),
  ],
  [
    "a key folder that is a file",
    () => install(withFiles(withoutKeys(), { path: KEYS_FOLDER, content: "x" })),
    "unsupported",
    /^Cannot use \/usr\/lib\/bootc\/install\/secureboot-keys in the image: it is a file, not a directory$/,
  ],
  [
    "an enrolment file that is a link to nothing",
    () => install(withFiles(baseFiles(), { path: `${KEYS_FOLDER}/auto/db.auth`, linkPath: "gone.auth" })),
    "unsupported",
    /secureboot-keys\/auto\/db\.auth in the image: it is a symbolic link to nothing$/,
  ],
  [
    "a signed loader that is a link to nothing, though there is a plain one",
    () =>
      install([
        ...withFiles(withoutKeys(), { path: LOADER_PATH, linkPath: "gone" }),
        { path: LOADER_PATH.replace(".signed", ""), content: loaderImage("257") },
      ]),
    "unsupported",
    /systemd-bootx64\.efi\.signed in the image: it is a symbolic link to nothing$/,
  ],
  [
    "a UKI whose line the kernel would cut",
    () =>
      install(baseFiles(), { commandLine: (id) => `composefs=${id} rw foo=${"0".repeat(1950)} lockdown=integrity` }),
    "unsupported",
    new RegExp(`^Cannot use the command line of ${UKI}: it has 21\\d\\d bytes, the kernel keeps 2047$`),
  ],
  [
    "a UKI whose line chooses another init",
    () => install(baseFiles(), { commandLine: (id) => `composefs=${id} a="b c" init=/bin/sh` }),
    "unsupported",
    new RegExp(`^Cannot use the command line of ${UKI}: "init" is decided by the seal$`),
  ],
  [
    "an add-on that names another image",
    async () => install(baseFiles(), await beside(addonOf({ ".cmdline": `composefs=${"0".repeat(128)}` })), ["debug"]),
    "unsupported",
    /^Cannot use the command line of the add-on debug: "composefs" is decided by the seal$/,
  ],
  [
    "an add-on that makes the line too long",
    async () => install(baseFiles(), await beside(addonOf({ ".cmdline": `x=${"y".repeat(1950)}` })), ["debug"]),
    "unsupported",
    /^Cannot use the command line of the UKI with its add-ons: it has 20\d\d bytes, the kernel keeps 2047$/,
  ],
  [
    "an add-on for another architecture",
    async () => install(baseFiles(), await beside(peImage({ ".cmdline": "debug" }, "aa64")), ["debug"]),
    "conflict",
    /^Cannot use the add-on debug: it is for aa64, the UKI for x64$/,
  ],
];

for (const [name, action, code, message] of refusals) {
  test(`refused: ${name}`, async () => {
    await assert.rejects(action, { code, message });
  });
}

test("signed by what is enrolled, with an add-on, nothing is warned of", async () => {
  const { warnings, loaderIsSigned } = await install(baseFiles(), await beside(addonOf({ ".cmdline": "debug" })), [
    "debug",
  ]);
  assert.deepEqual([warnings, loaderIsSigned], [[], true]);
});

test("without keys to enrol, a program without signature is warned of, and a good signature is anybody's", async () => {
  const plainLoader = { path: LOADER_PATH, content: loaderImage("257") };
  const unsigned = await install(withFiles(withoutKeys(), plainLoader), { signer: null });
  assert.deepEqual(unsigned.warnings, [
    `Firmware with Secure Boot will refuse ${LOADER}: it is not signed`,
    `Firmware with Secure Boot will refuse ${UKI}: it is not signed`,
  ]);
  assert.equal(unsigned.loaderIsSigned, false);
  const foreign = await install(withoutKeys(), { signer: other.signer });
  assert.deepEqual([foreign.warnings, foreign.loaderIsSigned], [[], true]);
});

test("enrolling on machines warns of option ROMs, unless db has a certificate for them, and needs keys", async () => {
  const warned = [
    "db has no certificate of Microsoft for option ROMs (UEFI CA 2011, Option ROM UEFI CA 2023): a machine whose graphics or " +
      "network card has a signed option ROM may not start with these keys; sealroot keys add KEYS CERTIFICATE, and seal again",
  ];
  for (const enrolment of ["force", "manual"] as const) {
    assert.deepEqual((await install(baseFiles(), {}, [], { enrolment })).warnings, warned);
  }
  for (const enrolment of ["if-safe", "off", undefined] as const) {
    assert.deepEqual((await install(baseFiles(), {}, [], { enrolment })).warnings, []);
  }
  // Two certificates of one's own, as after a rotation, are no vendor's.
  const store = readVariableStore(readFileSync("/usr/share/OVMF/OVMF_VARS_4M.ms.fd"));
  const certificates = parseSignatureLists(store.find(({ name }) => name === "db")?.data ?? new Uint8Array(0));
  for (const [subject, expected] of [
    ["Windows Production PCA 2011", warned],
    ["UEFI CA 2011", []],
  ] as const) {
    const added = certificates.filter(({ data }) => describeCertificate(certificateOf(data)).subject.endsWith(subject));
    const keys = join(scratch, subject);
    const now = new Date("2026-01-02T03:04:05Z");
    await generateKeys(keys, { now, addedCertificates: added.map(({ data }) => data) });
    const signer = loadSigner(keys);
    const loader = { path: LOADER_PATH, content: await signPe(loaderImage("257"), signer) };
    const files = withFiles(baseFiles(), ...enrolmentFiles(await loadEnrolment(keys, now)), loader);
    const { warnings } = await install(files, { signer }, [], { enrolment: "force" });
    assert.deepEqual(warnings, expected, subject);
  }
  await assert.rejects(install(withoutKeys(), {}, [], { enrolment: "force" }), {
    code: "unsupported",
    message: "Cannot use --enroll force: the image has no keys to enrol",
  });
});
