import { testInGuest } from "./fixture.ts";

testInGuest("repo-mount");
