package io.github.vfio4j.ffm;

import io.github.vfio4j.spi.ReadablePort;

/** What epoll can wait for. */
interface Readable extends ReadablePort {
    Fd fd();
}
