// Writers on one channel of a log, in a process of their own, for tests and benchmarks that kill and stop it.
using Baton.WalApp;

using var commands = new StreamReader(Console.OpenStandardInput());
return await new Writers(WriterOptions.Parse(args), new Reports(Console.OpenStandardOutput()), commands).RunAsync();
