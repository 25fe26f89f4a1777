import { defineConfig } from 'vite';

export default defineConfig({
  base: './',
  build: {
    chunkSizeWarningLimit: 20_000,
    minify: false,
    reportCompressedSize: false,
    // Grafana loads its editor and its maps only where they are shown.
    rollupOptions: { external: [/^monaco-editor/, /^@monaco-editor/, /^ol(\/|$)/] },
  },
  esbuild: { jsx: 'automatic' },
});
