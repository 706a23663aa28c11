package io.github.vfio4j.sim;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Ends the program when nothing was reported for too long, and says before where every thread stands, in Java and in the
 * kernel: a suite that is stuck in a machine that is thrown away afterwards would leave nothing to look at.
 */
final class StuckWatch {
    private final LinkedBlockingQueue<Boolean> reports = new LinkedBlockingQueue<>();

    StuckWatch(Duration limit) {
        Thread.ofPlatform().daemon().name("stuck watch").start(() -> watch(limit));
    }

    /** Something went on. */
    void report() {
        reports.add(true);
    }

    private void watch(Duration limit) {
        try {
            while (reports.poll(limit.toNanos(), TimeUnit.NANOSECONDS) != null) {
                reports.clear();
            }
        } catch (InterruptedException e) {
            return; // nobody does that
        }
        System.out.printf("stuck: nothing was reported for %d seconds%n", limit.toSeconds());
        printJava(System.out);
        printKernel(System.out);
        System.out.flush();
        Runtime.getRuntime().halt(1);
    }

    private static void printJava(PrintStream out) {
        Thread.getAllStackTraces().forEach((thread, stack) -> {
            out.printf("%s, %s%n", thread.getName(), thread.getState());
            for (StackTraceElement frame : stack) {
                out.printf("    %s%n", frame);
            }
        });
    }

    private static void printKernel(PrintStream out) {
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path task : tasks) {
                out.printf(
                        "%s: %s, at %s, system call %s%n",
                        task.getFileName(), text(task, "comm"), text(task, "wchan"), text(task, "syscall"));
                text(task, "stack").lines().forEach(line -> out.printf("    %s%n", line));
            }
        } catch (IOException e) {
            out.println(e);
        }
    }

    private static String text(Path task, String file) {
        try {
            return Files.readString(task.resolve(file)).strip();
        } catch (IOException e) {
            return ""; // the thread ended, or the kernel does not tell
        }
    }
}
