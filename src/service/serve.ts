/** Answering the calls of one connection (varlink.org, "Protocol"). */
import type { Duplex } from "node:stream";
import { asSealrootError } from "../errors/index.ts";
import {
  describeInterface,
  encodeReply,
  MessageReader,
  parseCall,
  SERVICE_DESCRIPTION,
  SERVICE_INTERFACE,
  type VarlinkCall,
  type VarlinkInterface,
  type VarlinkReply,
} from "../varlink/index.ts";
import { InvalidParameter, type Parameters, readParameters } from "./parameters.ts";

/** Sends a reply that others follow; does nothing for a caller who wants one reply. */
export type SendMore = (parameters: Readonly<Record<string, unknown>>) => void;

/**
 * Does what a method is for.
 * @returns the parameters of the last reply
 */
export type Handler = (parameters: Parameters, more: SendMore) => Promise<Readonly<Record<string, unknown>>>;

export interface ServiceInterface {
  readonly description: VarlinkInterface;
  /** One for each method of the description. */
  readonly handlers: Readonly<Record<string, Handler>>;
}

export interface Service {
  readonly product: string;
  readonly interfaces: readonly ServiceInterface[];
}

/** Every interface has this error, for failures that no other describes. */
const FAILED = "containers.bootc.Failed";

/**
 * Answers until the caller closes the connection, one call after the other, in their order.
 * @param version of this program
 * @throws SealrootError `corrupt` for what is not a call; the connection should be closed then
 */
export async function serveConnection(connection: Duplex, service: Service, version: string): Promise<void> {
  const reader = new MessageReader();
  // A caller who leaves while something is done is not told how it ended.
  let isOpen = true;
  connection.on("error", () => {
    isOpen = false;
  });
  const send = (reply: VarlinkReply) => {
    if (isOpen && connection.writable) connection.write(encodeReply(reply));
  };
  for await (const bytes of connection) {
    for (const message of reader.push(bytes)) await answer(parseCall(message), service, version, send);
  }
}

async function answer(
  call: VarlinkCall,
  service: Service,
  version: string,
  sendReply: (reply: VarlinkReply) => void,
): Promise<void> {
  const send = call.oneway ? () => {} : sendReply;
  const dot = call.method.lastIndexOf(".");
  const [interfaceName, methodName] = [call.method.slice(0, Math.max(dot, 0)), call.method.slice(dot + 1)];
  if (interfaceName === SERVICE_INTERFACE.name) return send(describeService(methodName, call, service, version));
  const found = service.interfaces.find(({ description }) => description.name === interfaceName);
  if (found === undefined) return send(serviceError("InterfaceNotFound", { interface: interfaceName }));
  const method = Object.hasOwn(found.description.methods, methodName) && found.description.methods[methodName];
  const handler = found.handlers[methodName];
  if (!method || handler === undefined) return send(serviceError("MethodNotFound", { method: call.method }));
  try {
    const parameters = readParameters(call.parameters, method.input);
    const more = call.more
      ? (partial: Readonly<Record<string, unknown>>) => send({ parameters: partial, continues: true })
      : () => {};
    send({ parameters: await handler(parameters, more) });
  } catch (error) {
    send(errorReply(error));
  }
}

function errorReply(error: unknown): VarlinkReply {
  if (error instanceof InvalidParameter) return serviceError("InvalidParameter", { parameter: error.parameter });
  const { code, message, data } = asSealrootError(error, "Unexpected failure");
  const { hint, path, step } = data;
  return {
    error: FAILED,
    parameters: { code, message, hint: hint ?? null, path: path ?? null, step: step ?? null },
  };
}

function describeService(method: string, { parameters }: VarlinkCall, service: Service, version: string): VarlinkReply {
  const { product, interfaces } = service;
  if (method === "GetInfo") {
    const names = [SERVICE_INTERFACE.name, ...interfaces.map(({ description }) => description.name)];
    return { parameters: { vendor: "sealroot", product, version, url: "", interfaces: names } };
  }
  if (method !== "GetInterfaceDescription") {
    return serviceError("MethodNotFound", { method: `${SERVICE_INTERFACE.name}.${method}` });
  }
  const { interface: wanted } = parameters;
  if (typeof wanted !== "string") return serviceError("InvalidParameter", { parameter: "interface" });
  if (wanted === SERVICE_INTERFACE.name) return { parameters: { description: SERVICE_DESCRIPTION } };
  const found = interfaces.find(({ description }) => description.name === wanted);
  if (found === undefined) return serviceError("InterfaceNotFound", { interface: wanted });
  return { parameters: { description: describeInterface(found.description) } };
}

function serviceError(name: string, parameters: Readonly<Record<string, unknown>>): VarlinkReply {
  return { error: `${SERVICE_INTERFACE.name}.${name}`, parameters };
}
