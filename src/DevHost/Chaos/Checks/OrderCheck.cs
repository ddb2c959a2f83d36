using System.Text;
using Baton.Core.Api;
using Baton.Core.Wal;
using Baton.DevHost.Chaos.Load;

namespace Baton.DevHost.Chaos.Checks;

/// <summary>Whether each writer's messages are in the log in the order in which it sent them. One that sends its next message only when it has its answer is owed that.</summary>
public static class OrderCheck
{
    /// <summary>Looks through one channel.</summary>
    /// <param name="recorder">What the writers know, each writer's messages in the order of sending.</param>
    /// <param name="channel">The channel.</param>
    /// <param name="visible">Its records with isolation committed, in order.</param>
    /// <returns>What is wrong; nothing where all is well.</returns>
    public static IReadOnlyList<string> Check(Recorder recorder, string channel, IReadOnlyList<ReadMessage> visible)
    {
        ArgumentNullException.ThrowIfNull(recorder);
        ArgumentNullException.ThrowIfNull(visible);
        var sent = recorder.Messages.Where(m => m.Channel == channel).Select((m, i) => (m.Text, Turn: i)).ToDictionary(m => m.Text, m => m.Turn, StringComparer.Ordinal);
        var findings = new List<string>();
        var before = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var text in visible.Where(m => m.Type == WalRecordType.Message).Select(m => Encoding.UTF8.GetString(m.Payload)).Where(sent.ContainsKey))
        {
            var writer = text[..text.LastIndexOf(':')];
            if (before.TryGetValue(writer, out var previous) && sent[previous] >= sent[text])
            {
                findings.Add($"{channel}: {text} is behind {previous} and was sent before it");
            }

            before[writer] = text;
        }

        return findings;
    }
}
