/** The worker thread's module: see object-jobs.ts. */
import { serveJobs } from "../../platform/index.ts";
import { verifyJobs } from "./object-jobs.ts";

serveJobs(verifyJobs);
