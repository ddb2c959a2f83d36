// A custom handler whose every answer comes from the test that runs it.
return await Baton.ScriptedHandler.Handler.RunAsync();
