/** The worker thread's module: see object-jobs.ts. */
import { serveRequests } from "../../../platform/index.ts";
import { handleObjectRequest } from "./object-jobs.ts";

serveRequests(handleObjectRequest);
