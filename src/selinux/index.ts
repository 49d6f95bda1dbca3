/**
 * selinux: labels from an image's own policy text (file_contexts and substitutions).
 *
 * Pure: text in, labels out. May import `bytes/` and `errors/`; knows paths and kinds, not trees.
 * @module
 */
export { type PolicyFile, selinuxTypeOf } from "./file-contexts.ts";
export { type LabelledKind, type PolicyFiles, parseSelinuxPolicy, SelinuxPolicy } from "./policy.ts";
