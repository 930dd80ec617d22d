import queue
import threading


class Pool:
    def __init__(self, workers=2):
        self.jobs = queue.Queue()
        self.results = []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for thread in self.threads:
            thread.start()

    def _work(self):
        while (job := self.jobs.get()) is not None:
            value = job()
            with self.lock:
                self.results.append(value)

    def close(self):
        for _ in self.threads:
            self.jobs.put(None)
        for thread in self.threads:
            thread.join()
        return sorted(self.results)
