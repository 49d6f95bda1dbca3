/**
 * bootloader: boot loaders and boot entries as a store: what an ESP holds and how the next boot is chosen.
 *
 * Store room: knows spec/host.md 1.4 to 1.7 and may use `disk/`; knows nothing of repositories and deployments' state.
 * @module
 */
export { type EspLayout, type EspLayoutOptions, espLayout } from "./esp-layout.ts";
