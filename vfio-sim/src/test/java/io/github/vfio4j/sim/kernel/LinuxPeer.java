package io.github.vfio4j.sim.kernel;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;

/** Another process on Linux: a JVM, which takes seconds to start in a VM and is used again, test after test. */
final class LinuxPeer implements MachineUnderTest.Peer {
    private static LinuxPeer idle;

    private final Process process;
    private final PrintWriter commands;
    private final BufferedReader answers;

    private LinuxPeer() throws IOException {
        process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        HandoverPeer.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        commands = new PrintWriter(process.outputWriter(), true);
        answers = process.inputReader();
    }

    static synchronized LinuxPeer take() {
        LinuxPeer peer = idle;
        idle = null;
        try {
            return peer == null ? new LinuxPeer() : peer;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public String ask(String command) {
        commands.println(command);
        try {
            return answers.readLine();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void kill() {
        process.destroyForcibly();
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Lets it close all it has; it ends by itself when this JVM does. */
    @Override
    public void close() {
        if (process.isAlive()) {
            ask("reset");
            synchronized (LinuxPeer.class) {
                idle = this;
            }
        }
    }
}
