/** The file to start: the built one, or the source where nothing can be built. */
export function gatewayProgram(): string;
