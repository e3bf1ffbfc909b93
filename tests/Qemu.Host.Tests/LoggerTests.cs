// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using Qemu.Host.Generated;

namespace Qemu.Host.Tests;

/// <summary>What an <see cref="ILogger"/> makes of a message, and who sees it.</summary>
public sealed unsafe class LoggerTests
{
    private readonly ILogger _logger;

    public LoggerTests()
    {
        FakeQemu.Forget();
        _logger = QemuHost.Current.Loggers.CreateLogger("test");
    }

    [Theory]
    [InlineData(LogLevel.Debug, dotnet_log_level.DOTNET_LOG_DEBUG)]
    [InlineData(LogLevel.Information, dotnet_log_level.DOTNET_LOG_INFO)]
    [InlineData(LogLevel.Warning, dotnet_log_level.DOTNET_LOG_WARNING)]
    [InlineData(LogLevel.Error, dotnet_log_level.DOTNET_LOG_ERROR)]
    [InlineData(LogLevel.Critical, dotnet_log_level.DOTNET_LOG_ERROR)]
    public void Each_level_is_one_of_QEMUs(LogLevel level, dotnet_log_level expected)
    {
        Write(level, "a text");
        Assert.Equal([(expected, "a text")], FakeQemu.Lines);
    }

    [Fact]
    public void What_nobody_sees_is_not_formatted()
    {
        FakeQemu.Shown = dotnet_log_level.DOTNET_LOG_WARNING;
        foreach (LogLevel level in (LogLevel[])[LogLevel.Trace, LogLevel.Debug, LogLevel.Information, LogLevel.None])
        {
            Assert.False(_logger.IsEnabled(level));
            _logger.Log(level, default, 0, null, static string (_, _) => throw new InvalidOperationException("formatted"));
        }

        Assert.True(_logger.IsEnabled(LogLevel.Warning));
        Assert.Empty(FakeQemu.Lines);
    }

    [Fact]
    public void A_message_is_one_line_whatever_is_in_it()
    {
        Write(LogLevel.Information, "one\r\ntwo\nthree");
        Assert.Equal("one two three", FakeQemu.Lines[^1].Text);
        _logger.Log(LogLevel.Error, default, 0, new InvalidOperationException("why"), static (_, _) => "what");
        Assert.Equal("what: System.InvalidOperationException: why", FakeQemu.Lines[^1].Text);
        Write(LogLevel.Information, new string('ü', 2000));
        Assert.Equal(new string('ü', 512), FakeQemu.Lines[^1].Text);
    }

    [Fact]
    public void An_error_text_is_cut_at_a_character()
    {
        dotnet_error error = default;
        Assert.Equal(-5, new ErrorText(&error).Refuse(-5, "x" + new string('ü', 2000)));
        Assert.Equal("x" + new string('ü', 255), FakeQemu.Text(&error));
        Assert.Equal(FakeQemu.Text(&error), HostText.Read(error));
        new Span<byte>(&error, sizeof(dotnet_error)).Fill((byte)'y');
        Assert.Equal(new string('y', sizeof(dotnet_error)), HostText.Read(error));
        Assert.Equal("no reason given", HostText.Read(default(dotnet_error)));
        Assert.Null(HostText.Read((sbyte*)null));
        Assert.Null(HostText.Encode(null));
        Assert.Equal("ab\0"u8.ToArray(), HostText.Encode("ab"));
    }

    private void Write(LogLevel level, string text) => _logger.Log(level, default, text, null, static (text, _) => text);
}
