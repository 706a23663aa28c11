package io.github.vfio4j.sim.differential;

import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A second process on Linux: a JVM that runs the steps which this one sends, one after the other. The two are connected
 * by pipes for the orders, and by a Unix socket for descriptors.
 */
final class SecondProcess implements Partner {
    private static final int ORDERS_UNTIL_RESET = 256; // the streams remember what was sent until then

    private final Process process;
    private final ObjectOutputStream orders;
    private final ObjectInputStream answers;
    private int sent;

    /** An order to close everything. */
    private record CloseAll() implements Serializable {}

    private SecondProcess(Process process) throws IOException {
        this.process = process;
        orders = new ObjectOutputStream(new BufferedOutputStream(process.getOutputStream()));
        orders.flush();
        answers = new ObjectInputStream(new BufferedInputStream(process.getInputStream()));
    }

    /** Starts it and connects it with the program of this process. */
    static SecondProcess start(Side first, Map<String, String> names) {
        String address = "@vfio4j-differential-" + ProcessHandle.current().pid();
        Frame frame = new Frame();
        int listener = first.calls.socket(frame, Syscalls.SOCK_SEQPACKET);
        check(first.calls.bind(frame, listener, address));
        check(first.calls.listen(frame, listener, 1));
        try {
            ProcessBuilder builder = new ProcessBuilder(
                    Path.of(System.getProperty("java.home"), "bin/java").toString(),
                    "-XX:+UseSerialGC",
                    "-XX:TieredStopAtLevel=1",
                    "-Xmx256m",
                    "--enable-native-access=ALL-UNNAMED",
                    "-cp",
                    System.getProperty("java.class.path"),
                    SecondProcess.class.getName(),
                    address);
            names.forEach((name, value) -> builder.command().add(name + "=" + value));
            Process process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
            SecondProcess second = new SecondProcess(process);
            first.socket = check(first.calls.accept(frame, listener));
            first.second = second;
            return second;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            first.calls.close(frame, listener);
        }
    }

    private static int check(int result) {
        if (result < 0) {
            throw new IllegalStateException("no socket between the processes: " + result);
        }
        return result;
    }

    long pid() {
        return process.pid();
    }

    @Override
    public Outcome run(Step step) {
        return order(step);
    }

    @Override
    public void closeAll() {
        order(new CloseAll());
    }

    private Outcome order(Serializable order) {
        try {
            if (++sent % ORDERS_UNTIL_RESET == 0) {
                orders.reset();
            }
            orders.writeObject(order);
            orders.flush();
            return (Outcome) answers.readObject();
        } catch (IOException | ClassNotFoundException e) {
            throw new IllegalStateException("the second process is lost", e);
        }
    }

    @Override
    public boolean overwrites(Step step) {
        return false; // what the simulated kernel's program would not overwrite, this one would not
    }

    @Override
    public boolean isOpen(int slot) {
        return false;
    }

    /** The other end: {@code ADDRESS NAME=VALUE...}. */
    public static void main(String[] args) throws IOException, ClassNotFoundException {
        Map<String, String> names = Stream.of(args)
                .skip(1)
                .map(arg -> arg.split("="))
                .collect(Collectors.toMap(name -> name[0], name -> name[1]));
        Side side = Side.onLinux("the second process", path -> TwinMachine.replaced(path, names, SysFs.linux()));
        ObjectOutputStream answers = new ObjectOutputStream(new BufferedOutputStream(System.out));
        answers.flush();
        side.socket = check(side.calls.socket(side.frame, Syscalls.SOCK_SEQPACKET));
        check(side.calls.connect(side.frame, side.socket, args[0]));
        int answered = 0;
        try (ObjectInputStream orders = new ObjectInputStream(new BufferedInputStream(System.in))) {
            while (true) {
                Outcome outcome;
                if (orders.readObject() instanceof Step step) {
                    outcome = side.run(step);
                } else {
                    side.closeAll();
                    outcome = Outcome.of(0);
                }
                if (++answered % ORDERS_UNTIL_RESET == 0) {
                    answers.reset();
                }
                answers.writeObject(outcome);
                answers.flush();
            }
        } catch (EOFException _) {
            side.closeAll(); // the first process ended
        }
    }
}
