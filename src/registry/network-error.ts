/** What Node's network errors mean to a user. */
import { SealrootError } from "../errors/index.ts";

/** Codes of connections that broke or could not be made: a retry may well succeed (node:errors, errno(3)). */
const PASSING = new Set([
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "ECONNABORTED",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

/** Codes of a peer that does not speak TLS. */
const NOT_TLS = new Set(["EPROTO", "ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG"]);

/** Codes of a certificate that does not prove the host (openssl-verify(1), node:tls). */
const CERTIFICATE =
  /^(?:CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT|INVALID_|HOSTNAME_MISMATCH|PATH_LENGTH|CRL_)/;

/** The code of a system or TLS error; for an attempt at several addresses that of the first. */
export function networkCode(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if (error instanceof SealrootError) return networkCode(error.cause);
  if ("code" in error && typeof error.code === "string") return error.code;
  return error instanceof AggregateError ? networkCode(error.errors[0]) : "";
}

/** True when sending the request again may help. */
export function isPassing(error: unknown): boolean {
  if (error instanceof SealrootError && error.code === "timeout") return true;
  return PASSING.has(networkCode(error));
}

/** True when the other side does not speak TLS at all, as opposed to an invalid certificate. */
export function isNotTls(error: unknown): boolean {
  const code = networkCode(error);
  return NOT_TLS.has(code) || code.startsWith("ERR_SSL_") || code === "ECONNRESET";
}

/** The error as `no-network`, or `no-access` when the host could not prove who it is. Keeps a SealrootError. */
export function networkError(error: unknown, url: URL): SealrootError {
  if (error instanceof SealrootError) return error;
  const what = `Cannot reach ${url.protocol}//${url.host}`;
  const code = networkCode(error);
  const reason = reasonText(error);
  if (CERTIFICATE.test(code)) {
    return new SealrootError(
      "no-access",
      `${what}: its certificate is not accepted: ${reason}`,
      {
        path: url.host,
        hint: `put the authority's certificate into /etc/containers/certs.d/${url.host}/ca.crt, or give --cert-dir`,
      },
      error,
    );
  }
  return new SealrootError("no-network", `${what}: ${reason}`, { path: url.host }, error);
}

function reasonText(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return reasonText(error.errors[0]);
  // OpenSSL's errors include the library's file and line; Node adds advice about options that are not ours.
  const text = error instanceof Error ? error.message : String(error);
  return (
    text
      .replace(/^.*:SSL routines:[^:]*:([^:]*):.*$/s, "$1")
      .replace(/; if the root CA is installed locally.*$/, "")
      // A proxy's address may hold its password.
      .replace(/\/\/[^@/\s]*@/g, "//")
      .trim()
  );
}
