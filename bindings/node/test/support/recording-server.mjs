// The recording server of the client tests.
export * from '../../../../tests/clients/support/recording-server.mjs';
