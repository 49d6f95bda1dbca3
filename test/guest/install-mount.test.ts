import { testInGuest } from "./fixture.ts";

// 90 s on an idle machine.
testInGuest("install-mount", 600_000);
