package io.github.vfio4j.ffm.port;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.vfio4j.Errno;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The system calls against this machine's kernel; none of this needs VFIO. */
class LinuxSyscallsHostTest {
    private static final int FIONREAD = 0x541b;
    private static final VarHandle ACCESS = JAVA_INT.varHandle();

    private final Syscalls linux = Syscalls.linux();
    private final Frame frame = new Frame();

    @TempDir
    Path directory;

    @Test
    void aPageIsAsLargeAsTheKernelTold() throws IOException {
        long told = 0;
        ByteBuffer vector = ByteBuffer.wrap(Files.readAllBytes(Path.of("/proc/self/auxv")))
                .order(ByteOrder.nativeOrder());
        while (vector.remaining() >= 16) {
            long type = vector.getLong();
            long value = vector.getLong();
            told = type == 6 ? value : told; // AT_PAGESZ
        }
        assertThat(Syscalls.linuxPageSize()).isEqualTo(told).isPositive();
    }

    @Test
    void anEventfdCountsWhatIsWrittenUntilItIsRead() {
        int fd = linux.eventfd(frame, 3, Syscalls.EFD_CLOEXEC | Syscalls.EFD_NONBLOCK);
        assertThat(fd).isNotNegative();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment count = arena.allocateFrom(JAVA_LONG, 39);
            assertThat(linux.write(frame, fd, count)).isEqualTo(8);
            assertThat(linux.read(frame, fd, count)).isEqualTo(8);
            assertThat(count.get(JAVA_LONG, 0)).isEqualTo(42);
            assertThat(linux.read(frame, fd, count)).isEqualTo(-Errno.EAGAIN.number());
        } finally {
            assertThat(linux.close(frame, fd)).isZero();
        }
    }

    @Test
    void epollReportsEachFileThatCanBeReadWithItsData() {
        int epoll = linux.epollCreate(frame, Syscalls.EPOLL_CLOEXEC);
        int[] events = new int[40];
        try {
            for (int i = 0; i < events.length; i++) {
                events[i] = linux.eventfd(frame, i % 2, Syscalls.EFD_CLOEXEC); // every other one can be read
                EpollEvent.set(frame.arg, 0, Syscalls.EPOLLIN, 1L << 40 | i);
                assertThat(linux.epollCtl(frame, epoll, Syscalls.EPOLL_CTL_ADD, events[i], frame.arg))
                        .isZero();
            }
            assertThat(linux.epollWait(frame, epoll, frame.arg, 32, 0)).isEqualTo(20);
            for (int i = 0; i < 20; i++) {
                assertThat(EpollEvent.events(frame.arg, i)).isEqualTo(Syscalls.EPOLLIN);
                assertThat(EpollEvent.data(frame.arg, i)).isEqualTo(1L << 40 | 2 * i + 1);
            }
            assertThat(linux.epollWait(frame, epoll, frame.arg, 3, -1)).isEqualTo(3);
            for (int i = 1; i < events.length; i += 2) {
                assertThat(linux.epollCtl(frame, epoll, Syscalls.EPOLL_CTL_DEL, events[i], frame.arg))
                        .isZero();
            }
            assertThat(linux.epollWait(frame, epoll, frame.arg, 32, 1)).isZero();
        } finally {
            for (int event : events) {
                linux.close(frame, event);
            }
            linux.close(frame, epoll);
        }
    }

    @Test
    void epollRefusesAsLinuxDoes() {
        int epoll = linux.epollCreate(frame, Syscalls.EPOLL_CLOEXEC);
        int event = linux.eventfd(frame, 0, Syscalls.EFD_CLOEXEC);
        try {
            EpollEvent.set(frame.arg, 0, Syscalls.EPOLLIN, 0);
            assertThat(linux.epollCreate(frame, 1)).isEqualTo(-Errno.EINVAL.number());
            assertThat(linux.epollCtl(frame, epoll, Syscalls.EPOLL_CTL_DEL, event, frame.arg))
                    .isEqualTo(-Errno.ENOENT.number());
            assertThat(linux.epollCtl(frame, epoll, Syscalls.EPOLL_CTL_ADD, event, frame.arg))
                    .isZero();
            assertThat(linux.epollCtl(frame, epoll, Syscalls.EPOLL_CTL_ADD, event, frame.arg))
                    .isEqualTo(-Errno.EEXIST.number());
            assertThat(linux.epollCtl(frame, epoll, Syscalls.EPOLL_CTL_ADD, -1, frame.arg))
                    .isEqualTo(-Errno.EBADF.number());
            assertThat(linux.epollCtl(frame, event, Syscalls.EPOLL_CTL_ADD, epoll, frame.arg))
                    .isEqualTo(-Errno.EINVAL.number());
            assertThat(linux.epollWait(frame, epoll, frame.arg, 0, 0)).isEqualTo(-Errno.EINVAL.number());
            assertThat(linux.epollWait(frame, event, frame.arg, 1, 0)).isEqualTo(-Errno.EINVAL.number());
            assertThat(linux.epollWait(frame, -1, frame.arg, 1, 0)).isEqualTo(-Errno.EBADF.number());
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> linux.epollWait(frame, epoll, frame.arg, Frame.ARG_BYTES, 0));
        } finally {
            linux.close(frame, event);
            linux.close(frame, epoll);
        }
    }

    @Test
    void aDescriptorOfTheLibraryIsClosedOnExec() throws IOException {
        int fd = linux.eventfd(frame, 0, Syscalls.EFD_CLOEXEC);
        try {
            String flags = Files.readString(Path.of("/proc/self/fdinfo/" + fd));
            assertThat(flags).containsPattern("flags:\\s+02000002"); // O_CLOEXEC | O_RDWR
        } finally {
            linux.close(frame, fd);
        }
    }

    @Test
    void aClosedDescriptorIsAnErrnoAndNoException() {
        int fd = linux.eventfd(frame, 0, 0);
        assertThat(linux.close(frame, fd)).isZero();
        assertThat(linux.close(frame, -1)).isEqualTo(-Errno.EBADF.number());
        assertThat(linux.ioctl(frame, -1, FIONREAD, 0)).isEqualTo(-Errno.EBADF.number());
        assertThat(linux.ioctl(frame, -1, FIONREAD, frame.arg)).isEqualTo(-Errno.EBADF.number());
    }

    @Test
    void anIoctlWritesItsAnswerIntoTheArgument() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "0123456789");
        int fd = linux.open(frame, file.toString(), Syscalls.O_CLOEXEC);
        try {
            assertThat(linux.ioctl(frame, fd, FIONREAD, frame.arg)).isZero();
            assertThat(frame.arg.get(JAVA_INT, 0)).isEqualTo(10);
        } finally {
            linux.close(frame, fd);
        }
    }

    @Test
    void anIoctlOfAnotherKindOfFileIsRefusedAsLinuxDoes() throws IOException {
        Path file = Files.createFile(directory.resolve("file"));
        int fd = linux.open(frame, file.toString(), Syscalls.O_CLOEXEC);
        try {
            assertThat(linux.ioctl(frame, fd, 0x3b64, 0)).isEqualTo(-Errno.ENOTTY.number()); // VFIO_GET_API_VERSION
        } finally {
            linux.close(frame, fd);
        }
    }

    @Test
    void aMissingFileIsEnoent() {
        assertThat(linux.open(frame, directory + "/missing", Syscalls.O_RDWR)).isEqualTo(-Errno.ENOENT.number());
        assertThat(linux.statx(frame, Syscalls.AT_FDCWD, directory + "/missing", 0))
                .isEqualTo(-Errno.ENOENT.number());
    }

    @Test
    void statxTellsTheDeviceNumberOfANodeByPathAndByDescriptor() {
        assertThat(linux.statx(frame, Syscalls.AT_FDCWD, "/dev/null", 0)).isZero();
        assertThat(frame.arg.get(JAVA_INT, 128)).isEqualTo(1); // major and minor of /dev/null
        assertThat(frame.arg.get(JAVA_INT, 132)).isEqualTo(3);
        int fd = linux.open(frame, "/dev/null", Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
        try {
            frame.arg.fill((byte) 0);
            assertThat(linux.statx(frame, fd, "", Syscalls.AT_EMPTY_PATH)).isZero();
            assertThat(frame.arg.get(JAVA_INT, 132)).isEqualTo(3);
        } finally {
            linux.close(frame, fd);
        }
    }

    @Test
    void aFileIsReadAndWrittenAtAnOffset() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "abcdefgh");
        int fd = linux.open(frame, file.toString(), Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment four = arena.allocate(4);
            assertThat(linux.pread(frame, fd, four, 2)).isEqualTo(4);
            assertThat(four.toArray(JAVA_INT)).containsExactly(0x66656463); // cdef
            assertThat(linux.pwrite(frame, fd, four, 6)).isEqualTo(4);
            assertThat(linux.pread(frame, fd, four, 8)).isEqualTo(2); // short at the end
            assertThat(file).hasContent("abcdefcdef");
        } finally {
            linux.close(frame, fd);
        }
    }

    @Test
    void memoryIsMappedZeroedAndUnmapped() {
        long address = linux.mmap(
                frame,
                8192,
                Syscalls.PROT_READ | Syscalls.PROT_WRITE,
                Syscalls.MAP_PRIVATE | Syscalls.MAP_ANONYMOUS,
                -1,
                0);
        assertThat(address).isPositive().matches(a -> a % 4096 == 0);
        assertThat(linux.munmap(frame, address, 8192)).isZero();
    }

    @Test
    void whatIsVacatedIsMemoryThatTheFileKnowsNothingOf(@TempDir Path directory) throws IOException {
        Path file = Files.write(directory.resolve("file"), new byte[8192]);
        int fd = linux.open(frame, file.toString(), Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
        long address = mapped(fd);
        MemorySegment memory = at(address);
        memory.set(JAVA_INT, 4096, 7);
        assertThat(linux.vacate(frame, address, 8192)).isZero();
        assertThat(memory.get(JAVA_INT, 4096)).isZero();
        memory.set(JAVA_INT, 0, 8);
        assertThat(memory.get(JAVA_INT, 0)).isEqualTo(8);
        assertThat(linux.close(frame, fd)).isZero();
        assertThat(MemorySegment.ofArray(Files.readAllBytes(file)).get(JAVA_INT_UNALIGNED, 4096)).isEqualTo(7);
        assertThat(Files.readAllBytes(file)).startsWith(0, 0, 0, 0);
        assertThat(maps()).noneMatch(line -> line.contains(file.toString()));
        linux.giveBack(address, 8192);
        assertThat(maps()).noneMatch(line -> line.startsWith(Long.toHexString(address) + "-"));
    }

    /** A thread that found nothing there would end the JVM. */
    @Test
    void aThreadThatAccessesWhatIsVacatedMeetsTheFileOrThatMemory(@TempDir Path directory) throws Exception {
        byte[] fives = new byte[8192];
        Arrays.fill(fives, (byte) 5);
        Path file = Files.write(directory.resolve("file"), fives);
        int fd = linux.open(frame, file.toString(), Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
        for (int round = 0; round < 200; round++) {
            long address = mapped(fd);
            MemorySegment memory = at(address);
            CountDownLatch atWork = new CountDownLatch(1);
            Thread reader = Thread.ofPlatform().start(() -> {
                while ((int) ACCESS.getOpaque(memory, 4096L) != 0) {
                    atWork.countDown();
                    ACCESS.setOpaque(memory, 0L, 0x05050505);
                }
            });
            atWork.await();
            assertThat(linux.vacate(frame, address, 8192)).isZero();
            reader.join();
            linux.giveBack(address, 8192);
        }
        assertThat(linux.close(frame, fd)).isZero();
        assertThat(Files.readAllBytes(file)).containsOnly(5);
    }

    @Test
    void vacatingAnImpossibleAddressIsAnErrno() {
        assertThat(linux.vacate(frame, 1, 4096)).isEqualTo(-Errno.EINVAL.number());
    }

    private long mapped(int fd) {
        long address = linux.mmap(
                frame, 8192, Syscalls.PROT_READ | Syscalls.PROT_WRITE, Syscalls.MAP_SHARED, fd, 0);
        assertThat(address).isPositive();
        return address;
    }

    @SuppressWarnings("restricted")
    private static MemorySegment at(long address) {
        return MemorySegment.ofAddress(address).reinterpret(8192);
    }

    private static List<String> maps() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/maps"));
    }

    @Test
    void anImpossibleMappingIsAnErrno() {
        assertThat(linux.mmap(frame, 0, Syscalls.PROT_READ, Syscalls.MAP_PRIVATE | Syscalls.MAP_ANONYMOUS, -1, 0))
                .isEqualTo(-Errno.EINVAL.number());
        assertThat(linux.munmap(frame, 1, 4096)).isEqualTo(-Errno.EINVAL.number());
    }

    @Test
    void aJavaArrayIsNoMemoryForTheKernel() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> linux.read(frame, 0, MemorySegment.ofArray(new byte[8])));
    }

    // ---- descriptors that travel

    @Test
    void aDuplicateIsTheSameOpenFileAndClosedOnExec() throws IOException {
        int fd = linux.eventfd(frame, 5, 0);
        int copy = linux.dup(frame, fd);
        try (Arena arena = Arena.ofConfined()) {
            assertThat(copy).isGreaterThan(fd);
            assertThat(linux.close(frame, fd)).isZero();
            MemorySegment count = arena.allocate(JAVA_LONG);
            assertThat(linux.read(frame, copy, count)).isEqualTo(8);
            assertThat(count.get(JAVA_LONG, 0)).isEqualTo(5);
            assertThat(Files.readString(Path.of("/proc/self/fdinfo/" + copy))).containsPattern("flags:\\s+02000002");
        } finally {
            linux.close(frame, copy);
        }
        assertThat(linux.dup(frame, -1)).isEqualTo(-Errno.EBADF.number());
    }

    @Test
    void descriptorsGoThroughASocketPair() throws IOException {
        int[] ends = pair();
        int event = linux.eventfd(frame, 7, Syscalls.EFD_CLOEXEC);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocateFrom(JAVA_INT, 42);
            assertThat(linux.sendmsg(frame, ends[0], data, new int[] {event, event})).isEqualTo(4);
            assertThat(linux.close(frame, event)).isZero(); // the message keeps the file

            data.fill((byte) 0);
            int[] came = {-1, -1, -1};
            assertThat(linux.recvmsg(frame, ends[1], data, came)).isEqualTo(4);
            assertThat(frame.arg.get(JAVA_INT, 0)).isEqualTo(2);
            assertThat(frame.arg.get(JAVA_INT, 4) & Syscalls.MSG_CTRUNC).isZero();
            assertThat(data.get(JAVA_INT, 0)).isEqualTo(42);
            assertThat(came[2]).isEqualTo(-1);
            MemorySegment count = arena.allocate(JAVA_LONG);
            assertThat(linux.close(frame, came[0])).isZero();
            assertThat(Files.readString(Path.of("/proc/self/fdinfo/" + came[1]))).containsPattern("flags:\\s+02000002");
            assertThat(linux.read(frame, came[1], count)).isEqualTo(8);
            assertThat(count.get(JAVA_LONG, 0)).isEqualTo(7);
            linux.close(frame, came[1]);
        } finally {
            linux.close(frame, ends[0]);
            linux.close(frame, ends[1]);
        }
    }

    @Test
    void moreDescriptorsThanThereIsRoomForAreClosedAndSaidToBe() throws IOException {
        int[] ends = pair();
        int event = linux.eventfd(frame, 0, Syscalls.EFD_CLOEXEC);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(1);
            linux.sendmsg(frame, ends[0], data, new int[] {event, event, event});
            linux.sendmsg(frame, ends[0], data, new int[] {event});
            linux.sendmsg(frame, ends[0], data, new int[] {});
            linux.close(frame, event);

            int[] one = {-1};
            assertThat(linux.recvmsg(frame, ends[1], data, one)).isEqualTo(1);
            assertThat(frame.arg.get(JAVA_INT, 0)).isEqualTo(1);
            assertThat(frame.arg.get(JAVA_INT, 4) & Syscalls.MSG_CTRUNC).isEqualTo(Syscalls.MSG_CTRUNC);
            linux.close(frame, one[0]);
            assertThat(linux.recvmsg(frame, ends[1], data, new int[0])).isEqualTo(1);
            assertThat(frame.arg.get(JAVA_INT, 0)).isZero();
            assertThat(frame.arg.get(JAVA_INT, 4) & Syscalls.MSG_CTRUNC).isEqualTo(Syscalls.MSG_CTRUNC);
            assertThat(linux.recvmsg(frame, ends[1], data, one)).isEqualTo(1);
            assertThat(frame.arg.get(JAVA_INT, 0)).isZero();
            assertThat(frame.arg.get(JAVA_INT, 4)).isZero();
        } finally {
            linux.close(frame, ends[0]);
            linux.close(frame, ends[1]);
        }
    }

    @Test
    void aConnectionIsMadeByPathAndByName() {
        for (String address : new String[] {directory + "/socket", "@vfio4j-host-test-" + ProcessHandle.current().pid()}) {
            int listener = linux.socket(frame, Syscalls.SOCK_SEQPACKET);
            int client = linux.socket(frame, Syscalls.SOCK_SEQPACKET);
            boolean path = !UnixAddress.isAbstract(address);
            try (Arena arena = Arena.ofConfined()) {
                int nobody = path ? Errno.ENOENT.number() : Errno.ECONNREFUSED.number();
                assertThat(linux.connect(frame, client, address)).isEqualTo(-nobody);
                assertThat(linux.bind(frame, listener, address)).isZero();
                assertThat(linux.connect(frame, client, address)).isEqualTo(-Errno.ECONNREFUSED.number());
                assertThat(linux.listen(frame, listener, 1)).isZero();
                assertThat(linux.connect(frame, client, address)).isZero();
                int server = linux.accept(frame, listener);
                assertThat(server).isNotNegative();
                MemorySegment data = arena.allocateFrom(JAVA_INT, 1);
                assertThat(linux.sendmsg(frame, client, data, new int[0])).isEqualTo(4);
                assertThat(linux.recvmsg(frame, server, data, new int[0])).isEqualTo(4);
                assertThat(linux.shutdown(frame, server)).isZero();
                assertThat(linux.recvmsg(frame, server, data, new int[0])).isZero();
                assertThat(linux.recvmsg(frame, client, data, new int[0])).isZero();
                assertThat(linux.sendmsg(frame, client, data, new int[0])).isEqualTo(-Errno.EPIPE.number());
                assertThat(linux.shutdown(frame, listener)).isZero();
                assertThat(linux.accept(frame, listener)).isEqualTo(-Errno.EINVAL.number());
                assertThat(linux.unlink(frame, address)).isEqualTo(path ? 0 : -Errno.ENOENT.number());
                linux.close(frame, server);
            } finally {
                linux.close(frame, client);
                linux.close(frame, listener);
            }
        }
    }

    private int[] pair() {
        assertThat(linux.socketpair(frame, Syscalls.SOCK_SEQPACKET)).isZero();
        return new int[] {frame.arg.get(JAVA_INT, 0), frame.arg.get(JAVA_INT, 4)};
    }
}
