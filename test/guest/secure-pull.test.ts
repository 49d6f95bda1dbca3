import { testInGuest } from "./fixture.ts";

testInGuest("secure-pull");
