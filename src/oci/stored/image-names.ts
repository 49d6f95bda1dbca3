/** Names of images as Docker and podman keep them in archives and stores. */

/**
 * The name in full: `debian` is `docker.io/library/debian:latest` (distribution/reference, "normalized named"). A digest
 * behind `@` stays, and keeps `:latest` away.
 */
export function fullImageName(name: string): string {
  const [named = "", digest] = name.split("@", 2);
  const slash = named.indexOf("/");
  const first = named.slice(0, Math.max(slash, 0));
  const hasHost = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  const rest = hasHost ? named.slice(slash + 1) : named;
  const host = hasHost && first !== "index.docker.io" ? first : "docker.io";
  const path = host === "docker.io" && !rest.includes("/") ? `library/${rest}` : rest;
  if (digest !== undefined) return `${host}/${path}@${digest}`;
  return `${host}/${path}${path.includes(":") ? "" : ":latest"}`;
}

/** The name without tag and digest: `docker.io/library/debian`. */
export function repositoryOfName(fullName: string): string {
  const name = fullName.replace(/@.*$/s, "");
  const colon = name.lastIndexOf(":");
  return colon > name.lastIndexOf("/") ? name.slice(0, colon) : name;
}
