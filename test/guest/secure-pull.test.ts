import { ONLY_IN_WHOLE_SUITE } from "../vm/whole-suite.ts";
import { testInGuest } from "./fixture.ts";

// The reference's ids are compared without fs-verity in every run, and what fs-verity adds in secure-repository.
testInGuest("secure-pull", ONLY_IN_WHOLE_SUITE);
