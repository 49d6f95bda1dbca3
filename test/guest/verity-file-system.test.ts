import { testInGuest } from "./fixture.ts";

testInGuest("verity-file-system");
