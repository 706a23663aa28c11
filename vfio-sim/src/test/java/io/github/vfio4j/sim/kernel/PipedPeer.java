package io.github.vfio4j.sim.kernel;

import io.github.vfio4j.VfioException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PipedReader;
import java.io.PipedWriter;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.function.BiConsumer;

/** Another process on a simulated machine: a thread that makes its system calls. */
final class PipedPeer implements MachineUnderTest.Peer {
    private final PrintWriter commands;
    private final BufferedReader answers;
    private final Thread thread;
    private final Runnable kill;
    private volatile boolean killed;

    PipedPeer(BiConsumer<BufferedReader, PrintWriter> program, Runnable kill) {
        this.kill = kill;
        try {
            PipedWriter toPeer = new PipedWriter();
            PipedReader fromPeer = new PipedReader();
            BufferedReader in = new BufferedReader(new PipedReader(toPeer));
            PrintWriter out = new PrintWriter(new PipedWriter(fromPeer), true);
            commands = new PrintWriter(toPeer, true);
            answers = new BufferedReader(fromPeer);
            thread = Thread.ofPlatform().daemon().start(() -> run(program, in, out));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void run(BiConsumer<BufferedReader, PrintWriter> program, BufferedReader in, PrintWriter out) {
        try {
            program.accept(in, out);
        } catch (VfioException e) {
            if (!killed) { // the dead call in vain
                throw e;
            }
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
        killed = true;
        kill.run();
        commands.close();
        join();
    }

    @Override
    public void close() {
        commands.close();
        join();
    }

    private void join() {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
