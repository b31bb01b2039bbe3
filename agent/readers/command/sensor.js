// An example for the command reader: prints one JSON object a line and ends with the agent.
// Run it with: command: { argv: [node, sensor.js, "1000"] }

const intervalMs = Number(process.argv[2] ?? 1000);

setInterval(() => {
  const memory = process.memoryUsage();
  const values = { uptime_s: Math.round(process.uptime()), rss_bytes: memory.rss };
  console.log(JSON.stringify({ time: new Date().toISOString(), values }));
}, intervalMs);

// Standard input ends when the agent ends, however that came about.
process.stdin.on('end', () => process.exit(0)).resume();
process.on('SIGTERM', () => process.exit(0));
