/** The interface that every service has (varlink.org, "org.varlink.service"). */
import type { VarlinkInterface } from "./interface.ts";
import { describeInterface } from "./interface.ts";

export const SERVICE_INTERFACE: VarlinkInterface = {
  name: "org.varlink.service",
  summary: "The Varlink Service Interface is provided by every varlink service.",
  methods: {
    GetInfo: {
      summary: "Get a list of all the interfaces a service provides and information about the implementation.",
      input: "()",
      output: "(vendor: string, product: string, version: string, url: string, interfaces: []string)",
    },
    GetInterfaceDescription: {
      summary: "Get the description of an interface that is implemented by this service.",
      input: "(interface: string)",
      output: "(description: string)",
    },
  },
  errors: [
    "InterfaceNotFound (interface: string)",
    "MethodNotFound (method: string)",
    "MethodNotImplemented (method: string)",
    "InvalidParameter (parameter: string)",
    "PermissionDenied ()",
    "ExpectedMore ()",
  ],
};

export const SERVICE_DESCRIPTION = describeInterface(SERVICE_INTERFACE);
