import { ONLY_IN_WHOLE_SUITE } from "../vm/whole-suite.ts";
import { testInGuest } from "./fixture.ts";

// 90 s on an idle machine.
testInGuest("install-mount", { timeoutMs: 600_000, ...ONLY_IN_WHOLE_SUITE });
