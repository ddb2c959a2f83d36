using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Baton.Bench")]
[assembly: InternalsVisibleTo("Baton.DevHost.Tests")]
