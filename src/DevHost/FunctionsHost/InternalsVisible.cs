using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Baton.DevHost.Tests")]
