/** The requirements of a policy and their strict reading (spec/chunked-and-policy.md 3.3). */
import { Fields } from "./fields.ts";
import { DEFAULT_IDENTITY, readIdentity, type SignedIdentity } from "./identity.ts";
import type { JsonValue } from "./strict-json.ts";

/** Where key or certificate material is: in files, or in the policy itself. */
export interface Material {
  readonly paths: readonly string[];
  readonly data: readonly Uint8Array[];
}

/** Certificates of Fulcio: who may sign, by account. */
export interface FulcioRoot {
  readonly authorities: Material;
  readonly oidcIssuer: string;
  readonly subjectEmail: string;
}

/** Certificates of the user's own authority. */
export interface PkiRoot {
  readonly roots: Material;
  readonly intermediates: Material;
  readonly subjectEmail: string | undefined;
  readonly subjectHostname: string | undefined;
}

/** cosign signatures under the tag of the image's digest. */
export interface SigstoreSigned {
  readonly type: "sigstoreSigned";
  readonly trust:
    | { readonly kind: "keys"; readonly keys: Material }
    | { readonly kind: "fulcio"; readonly fulcio: FulcioRoot }
    | { readonly kind: "pki"; readonly pki: PkiRoot };
  /** If given, the log must have promised to keep the signature. */
  readonly rekorKeys: Material | undefined;
  readonly identity: SignedIdentity;
}

/** OpenPGP signatures beside the image ("simple signing"). */
export interface SignedBy {
  readonly type: "signedBy";
  readonly keys: Material;
  readonly identity: SignedIdentity;
}

/**
 * Ours: sigstore bundles that refer to the image (spec/chunked-and-policy.md 2.2). They name a digest but no
 * repository, so there is no identity to compare; docs/images.md says what follows from that.
 */
export interface SigstoreBundle {
  readonly type: "sigstoreBundle";
  readonly trust:
    | { readonly kind: "keys"; readonly keys: Material }
    | {
        readonly kind: "certificates";
        /** A `trusted_root.json` of sigstore. */
        readonly trustedRoot: Material;
        readonly oidcIssuer: string;
        /** The subject alternative name of the signer: an address, or the URI of a workflow. */
        readonly subject: string;
      };
}

export type Requirement =
  | { readonly type: "insecureAcceptAnything" | "reject" | "signedBaseLayer" }
  | SigstoreSigned
  | SignedBy
  | SigstoreBundle;

/**
 * Reads one requirement.
 * @param what names the policy in errors
 * @param place of the requirement in it
 * @throws SealrootError `corrupt`
 */
export function readRequirement(value: JsonValue, what: string, place: string): Requirement {
  const fields = Fields.of(value, what, place);
  const type = fields.text("type");
  switch (type) {
    case "insecureAcceptAnything":
    case "reject":
      fields.exactly(["type"]);
      return { type };
    case "signedBaseLayer":
      fields.exactly(["type", "baseLayerIdentity"]);
      readIdentity(fields.inner("baseLayerIdentity"));
      return { type };
    case "signedBy":
      return readSignedBy(fields);
    case "sigstoreSigned":
      return readSigstoreSigned(fields);
    case "sigstoreBundle":
      return readSigstoreBundle(fields);
    default:
      throw fields.refused("type", `"${type}" is not known`);
  }
}

function readSignedBy(fields: Fields): SignedBy {
  fields.only(["type", "keyType", "keyPath", "keyPaths", "keyData", "signedIdentity"]);
  if (fields.text("keyType") !== "GPGKeys") throw fields.refused("keyType", 'is not "GPGKeys"');
  const keys = readMaterial(fields, { one: "keyPath", many: "keyPaths", oneData: "keyData" }, "needed");
  return { type: "signedBy", keys, identity: readOptionalIdentity(fields) };
}

const KEYS = { one: "keyPath", many: "keyPaths", oneData: "keyData", manyData: "keyDatas" };
const REKOR_KEYS = {
  one: "rekorPublicKeyPath",
  many: "rekorPublicKeyPaths",
  oneData: "rekorPublicKeyData",
  manyData: "rekorPublicKeyDatas",
};

function readSigstoreSigned(fields: Fields): SigstoreSigned {
  const own = ["type", "fulcio", "pki", "signedIdentity"];
  fields.only([...own, ...Object.values(KEYS), ...Object.values(REKOR_KEYS)]);
  const source = fields.oneOf([...Object.values(KEYS), "fulcio", "pki"], "needed");
  const hasRekorKeys = fields.oneOf(Object.values(REKOR_KEYS), "optional") !== undefined;
  const rekorKeys = hasRekorKeys ? readMaterial(fields, REKOR_KEYS, "needed") : undefined;
  const identity = readOptionalIdentity(fields);
  if (source === "fulcio") {
    if (rekorKeys === undefined) throw fields.refused("fulcio", "needs a rekorPublicKeyPath beside it");
    return { type: "sigstoreSigned", trust: { kind: "fulcio", fulcio: readFulcio(fields) }, rekorKeys, identity };
  }
  if (source === "pki") {
    if (rekorKeys !== undefined) throw fields.refused("pki", "excludes the keys of a log");
    return { type: "sigstoreSigned", trust: { kind: "pki", pki: readPki(fields) }, rekorKeys, identity };
  }
  const keys = readMaterial(fields, KEYS, "needed");
  return { type: "sigstoreSigned", trust: { kind: "keys", keys }, rekorKeys, identity };
}

function readFulcio(outer: Fields): FulcioRoot {
  const fields = outer.inner("fulcio");
  fields.only(["caPath", "caData", "oidcIssuer", "subjectEmail"]);
  return {
    authorities: readMaterial(fields, { one: "caPath", oneData: "caData" }, "needed"),
    oidcIssuer: fields.text("oidcIssuer"),
    subjectEmail: fields.text("subjectEmail"),
  };
}

function readPki(outer: Fields): PkiRoot {
  const fields = outer.inner("pki");
  const roots = { one: "caRootsPath", oneData: "caRootsData" };
  const intermediates = { one: "caIntermediatesPath", oneData: "caIntermediatesData" };
  const own = ["subjectEmail", "subjectHostname"];
  fields.only([...own, ...Object.values(roots), ...Object.values(intermediates)]);
  if (!own.some((key) => fields.has(key))) throw outer.refused("pki", "has neither subjectEmail nor subjectHostname");
  return {
    roots: readMaterial(fields, roots, "needed"),
    intermediates: readMaterial(fields, intermediates, "optional"),
    subjectEmail: fields.optionalText("subjectEmail"),
    subjectHostname: fields.optionalText("subjectHostname"),
  };
}

function readSigstoreBundle(fields: Fields): SigstoreBundle {
  const root = { one: "trustedRootPath", oneData: "trustedRootData" };
  const signer = ["oidcIssuer", "subject"];
  fields.only(["type", ...Object.values(KEYS), ...Object.values(root), ...signer]);
  const source = fields.oneOf([...Object.values(KEYS), ...Object.values(root)], "needed") ?? "";
  if (Object.values<string>(KEYS).includes(source)) {
    for (const key of signer) if (fields.has(key)) throw fields.refused(key, `excludes ${source}`);
    return { type: "sigstoreBundle", trust: { kind: "keys", keys: readMaterial(fields, KEYS, "needed") } };
  }
  const trustedRoot = readMaterial(fields, root, "needed");
  const [oidcIssuer, subject] = [fields.text("oidcIssuer"), fields.text("subject")];
  return { type: "sigstoreBundle", trust: { kind: "certificates", trustedRoot, oidcIssuer, subject } };
}

function readOptionalIdentity(fields: Fields): SignedIdentity {
  return fields.has("signedIdentity") ? readIdentity(fields.inner("signedIdentity")) : DEFAULT_IDENTITY;
}

interface MaterialKeys {
  readonly one: string;
  readonly many?: string;
  readonly oneData: string;
  readonly manyData?: string;
}

function readMaterial(fields: Fields, keys: MaterialKeys, needed: "needed" | "optional"): Material {
  const present = fields.oneOf(Object.values(keys), needed);
  switch (present) {
    case undefined:
      return { paths: [], data: [] };
    case keys.one:
      return { paths: [fields.text(present)], data: [] };
    case keys.oneData:
      return { paths: [], data: [fields.base64(present)] };
    default:
      return present === keys.many
        ? { paths: fields.texts(present), data: [] }
        : { paths: [], data: fields.base64s(present) };
  }
}
