import { testInGuest } from "./fixture.ts";

testInGuest("install-mount");
